/** Checks for spam, by a real rspamd, on the running stack. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  listReceived,
  newRecipient,
  readMessage,
  send,
  waitForReceived,
  waitForStatus,
} from '../support/mail.ts';
import { postern, posternJson } from '../support/postern.ts';
import { startProcess, stopProcess, waitUntilHealthy } from '../support/processes.ts';
import { GTUBE, requireRspamd } from '../support/spam.ts';
import { readStack, type Stack } from '../support/stack.ts';

describe('checks for spam', () => {
  let stack: Stack;
  before(function () {
    requireRspamd(this);
    stack = readStack();
  });

  it('an ordinary message is sent, and its score is on the timeline', async () => {
    const recipient = newRecipient();
    const id = await send(stack, { to: recipient });

    await waitForReceived(stack, recipient);

    const { timeline } = await waitForStatus(stack, id, 'delivered');
    const [, checked] = timeline;
    assert.equal(checked?.event, 'checked');
    const { score, action, symbols } = checked.data as {
      score: number;
      action: string;
      symbols: { name: string }[];
    };
    assert.ok(score < 6, `${score}`);
    assert.equal(action, 'none');
    assert.ok(symbols.some(({ name }) => name === 'MIME_GOOD'));
  });

  const long = {
    name: 'long.txt',
    content: randomBytes(2_000_000).toString('base64'),
    content_type: 'text/plain',
  };
  for (const [what, attachments] of [
    ['', []],
    [', beside a long attachment', [long]],
  ] as const) {
    it(`spam is not sent${what}`, async () => {
      const recipient = newRecipient();
      const id = await send(stack, { to: recipient, textbody: GTUBE, attachments });

      const { timeline } = await waitForStatus(stack, id, 'spam');

      assert.deepEqual(
        timeline.map(({ event }) => event),
        ['accepted', 'checked', 'spam'],
      );
      assert.match(
        String(timeline.at(-1)?.data.response),
        /^550 5\.7\.1 Refused as spam: spam=15\.00 \(GTUBE/,
      );
      assert.deepEqual(await listReceived(stack, recipient), []);
    });
  }

  describe('held for review', () => {
    let organizationId = 0;
    let released = 0;
    let refused = 0;
    const addressee = newRecipient();

    before(async () => {
      const organizations = await posternJson<{ id: number; name: string }[]>('organization', 'list');
      organizationId = Number(organizations.find(({ name }) => name === 'Demo')?.id);
      await postern('organization', 'limits', `${organizationId}`, '--spam-hold-score', '-100');
    });
    after(() => postern('organization', 'limits', `${organizationId}`, '--spam-hold-score', 'none'));

    it('by the score of the organization, an ordinary message waits', async () => {
      released = await send(stack, { to: addressee, subject: 'Released' });
      refused = await send(stack, { to: newRecipient(), subject: 'Refused' });

      for (const id of [released, refused]) await waitForStatus(stack, id, 'held');
      const held = await posternJson<{ id: number; subject: string }[]>('spam', 'list');
      assert.deepEqual(
        held.map(({ id, subject }) => [id, subject]),
        [
          [released, 'Released'],
          [refused, 'Refused'],
        ],
      );
      assert.deepEqual(await listReceived(stack, addressee), []);
    });

    it('is sent when it is released', async () => {
      await postern('spam', 'release', `${released}`);

      const received = await waitForReceived(stack, addressee);

      assert.equal(received.authentication.dkim, 'pass');
      const { timeline } = await waitForStatus(stack, released, 'delivered');
      assert.deepEqual(
        timeline.map(({ event }) => event),
        ['accepted', 'checked', 'held', 'released', 'delivered'],
      );
    });

    it('is spam when it is refused, and there is one decision', async () => {
      await postern('spam', 'refuse', `${refused}`);

      assert.equal((await readMessage(stack, refused)).status, 'spam');
      await assert.rejects(posternJson('spam', 'release', `${refused}`), { stdout: /Not found/ });
      assert.deepEqual(await posternJson('spam', 'list'), []);
    });
  });

  it('nothing is sent unchecked while rspamd is stopped, and all of it afterwards', async () => {
    await stopProcess('rspamd');
    const [good, bad] = [newRecipient(), newRecipient()];
    const ids = [await send(stack, { to: good }), await send(stack, { to: bad, textbody: GTUBE })] as const;
    await sleep(1_500);
    for (const id of ids) assert.equal((await readMessage(stack, id)).status, 'queued');

    await startProcess('rspamd');
    await waitUntilHealthy();

    await waitForReceived(stack, good);
    await waitForStatus(stack, ids[1], 'spam');
    assert.deepEqual(await listReceived(stack, bad), []);
  });
});
