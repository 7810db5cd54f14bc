import assert from 'node:assert/strict';
import { type InboundFacts, parseInbound, renderInbound } from '../../../api/inbound/payload.ts';
import { renderPayload } from '../../../api/inbound/render-payload.ts';
import { AUTHENTICATION, attachedMessage } from './support.ts';

const facts: InboundFacts = {
  id: 7,
  envelopeFrom: 'bob@example.com',
  recipient: 'ann@example.org',
  fromHeader: 'Bob <bob@example.com>',
  messageId: '<1@example.com>',
  authentication: AUTHENTICATION,
  spam: null,
  client: { ip: '192.0.2.1', helo: 'mx.example.com', host: null },
  replyToId: null,
};

describe('renderPayload', function () {
  this.timeout(60_000);

  async function render(content: Buffer): Promise<Buffer> {
    const body = await renderPayload(facts, content);
    assert.ok(body);
    return body;
  }

  for (const [name, content] of [
    ['a small message', Buffer.from(attachedMessage(3))],
    ['a large one', Buffer.from(`${attachedMessage(2)}${'x'.repeat(76)}\r\n`.padEnd(300_000, 'y'))],
    ['bytes that are not UTF-8', Buffer.from('Subject: \xe9\r\n\r\n\xff\xfe\r\n', 'latin1')],
  ] as const) {
    it(`makes of ${name} in its thread what is made here`, async () => {
      const body = await render(content);
      assert.deepEqual(body, renderInbound(facts, content, await parseInbound(content)));
    });
  }

  it('says base64 of raw that is not UTF-8, and gives each byte', async () => {
    const content = Buffer.from('Subject: \xe9\r\n\r\n\xff\xfe\r\n', 'latin1');
    const { raw, rawEncoding } = JSON.parse((await render(content)).toString());
    assert.equal(rawEncoding, 'base64');
    assert.deepEqual(Buffer.from(raw, 'base64'), content);
  });

  it('gives a message of too many parts without them (MB-3)', async () => {
    const content = Buffer.from(
      `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(5_000)}`,
    );
    const payload = JSON.parse((await render(content)).toString());
    assert.deepEqual([payload.raw.length, 'text' in payload], [content.length, false]);
  });
});
