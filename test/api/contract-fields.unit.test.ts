import assert from 'node:assert/strict';
import { readTags, translateContractFields } from '../../api/mail/contract-fields.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';

const tagsOf = (header: string) => readTags(splitMessage(Buffer.from(`${header}\r\n\r\n`)).fields);
const translate = (message: string) =>
  translateContractFields(Buffer.from(message, 'latin1')).toString('latin1');

describe('readTags', () => {
  for (const name of ['X-MailPace-Tags', 'X-OhMySMTP-Tags', 'X-OMS-Tags', 'x-mailpace-tags']) {
    it(`reads one or several tags from ${name}`, async () => {
      assert.deepEqual(await tagsOf(`${name}: one`), ['one']);
      assert.deepEqual(await tagsOf(`${name}: a, b,\r\n c d ,,`), ['a', 'b', 'c d']);
    });
  }

  it('takes all fields together, each tag once, and none from other fields', async () => {
    assert.deepEqual(await tagsOf('X-OMS-Tags: a\r\nX-Tags: x\r\nX-MailPace-Tags: b, a'), ['a', 'b']);
    assert.deepEqual(await tagsOf('X-MailPace-Tags:'), []);
  });

  it('decodes what a mail library encoded', async () => {
    assert.deepEqual(await tagsOf('X-MailPace-Tags: =?UTF-8?Q?gr=C3=BC=C3=9Fe=2C?= b'), ['grüße', 'b']);
  });

  it('keeps a hundred tags of 255 characters', async () => {
    const tags = await tagsOf(
      `X-MailPace-Tags: ${Array.from({ length: 101 }, (_, index) => `t${index}`).join()}`,
    );
    assert.equal(tags.length, 100);
    assert.equal((await tagsOf(`X-MailPace-Tags: ${'x'.repeat(300)}`))[0]?.length, 255);
  });
});

describe('translateContractFields', () => {
  it('leaves every byte of a message without such fields', () => {
    const message =
      'From: a@x.example\r\nList-Unsubscribe: <https://x.example/>\r\nX-Odd:  \xfc \r\n\r\nX-OMS-Tags: b\r\n';
    assert.equal(translate(message), message);
  });

  it('takes the tags out in all spellings', () => {
    const tags = 'X-MailPace-Tags: a,\r\n b\r\nx-ohmysmtp-tags: c\r\nX-OMS-Tags: d\r\n';
    assert.equal(
      translate(`From: a@x.example\r\n${tags}To: b@y.example\r\n\r\nbody`),
      'From: a@x.example\r\nTo: b@y.example\r\n\r\nbody',
    );
  });

  it('renames X-List-Unsubscribe, however it is folded', () => {
    assert.equal(
      translate('X-LIST-UNSUBSCRIBE: <https://x.example/u>,\r\n <mailto:u@x.example>\r\n\r\n'),
      'List-Unsubscribe: <https://x.example/u>,\r\n <mailto:u@x.example>\r\n\r\n',
    );
  });

  it('leaves one List-Unsubscribe: the plain one before the other, the first before the next', () => {
    assert.equal(
      translate('X-List-Unsubscribe: <https://a.example/>\r\nList-Unsubscribe: <https://b.example/>\r\n\r\n'),
      'List-Unsubscribe: <https://b.example/>\r\n\r\n',
    );
    assert.equal(
      translate(
        'X-List-Unsubscribe:\r\nX-List-Unsubscribe: <https://a.example/>\r\nX-List-Unsubscribe: <https://b.example/>\r\n\r\n',
      ),
      'List-Unsubscribe: <https://a.example/>\r\n\r\n',
    );
  });
});
