import assert from 'node:assert/strict';
import { readSubmissionFields } from '../../api/mail/submission-fields.ts';
import { decideLink } from '../../api/mail/unsubscribe-link.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';

function read(lines: string[], offersUnsubscribe = true) {
  const { fields } = splitMessage(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`));
  return readSubmissionFields(fields, offersUnsubscribe);
}

async function hasLink(...lines: string[]): Promise<boolean | string> {
  const result = await read(lines);
  return result.ok ? result.hasUnsubscribeLink : result.problem;
}

const BULK = 'X-Postern-Stream: bulk';

describe('api/mail/unsubscribe-link', () => {
  it('is asked for over SMTP as over HTTP', async () => {
    assert.equal(await hasLink('From: a@b.test'), false);
    assert.equal(await hasLink(BULK), true);
    assert.equal(await hasLink(BULK, 'X-Postern-Unsubscribe: No'), false);
    assert.equal(await hasLink('X-Postern-Unsubscribe: yes'), true);
  });

  for (const own of ['List-Unsubscribe', 'X-List-Unsubscribe', 'List-Unsubscribe-Post']) {
    it(`respects a ${own} of the sender`, async () => {
      assert.equal(await hasLink(BULK, `${own}: x`), false);
      assert.match(String(await hasLink('X-Postern-Unsubscribe: yes', `${own}: x`)), /of your own/);
    });
  }

  it('refuses what it cannot read', async () => {
    assert.equal(await hasLink('X-Postern-Unsubscribe: true'), 'X-Postern-Unsubscribe is not yes or no');
    assert.equal(
      await hasLink('X-Postern-Unsubscribe: yes', 'X-Postern-Unsubscribe: no'),
      'X-Postern-Unsubscribe is given twice',
    );
  });

  it('is refused, where it is asked for, and left out, where it is not, without a public address', () => {
    const question = { stream: 'bulk', hasOwn: false, isOffered: false } as const;
    assert.deepEqual(decideLink({ ...question, asked: undefined }), { ok: true, hasLink: false });
    assert.equal(decideLink({ ...question, asked: true }).ok, false);
  });
});
