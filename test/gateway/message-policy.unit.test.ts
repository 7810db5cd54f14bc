import assert from 'node:assert/strict';
import { judgeMessage } from '../../gateway/message-policy.ts';
import { replies } from '../../gateway/replies.ts';

const judge = (header: string) =>
  judgeMessage(Buffer.from(`To: bob@receiver.example\r\n${header}\r\n\r\nbody\r\n`), 'shop.example');

describe('judgeMessage', () => {
  it('lets pass what the domain itself says', () => {
    assert.equal(judge('From: Ann <ann@SHOP.example>\r\nSender: bob@shop.example'), undefined);
  });

  it('AD-4: refuses every other domain, also a part of it and one around it', () => {
    for (const domain of ['other.example', 'mail.shop.example', 'shop.example.evil.example', 'op.example']) {
      assert.equal(judge(`From: ann@${domain}`), replies.senderNotAllowed);
      assert.equal(judge(`From: ann@shop.example\r\nSender: ann@${domain}`), replies.senderNotAllowed);
    }
  });

  it('HD-7: refuses a header of more than 256 KB, also one without an end', () => {
    const field = `X-Padding: ${'x'.repeat(900)}\r\n`;
    assert.equal(judge(`From: a@shop.example\r\n${field.repeat(280).trimEnd()}`), undefined);
    assert.equal(judge(`From: a@shop.example\r\n${field.repeat(300).trimEnd()}`), replies.headerTooLarge);
    const endless = Buffer.from(`From: a@shop.example\r\n${field.repeat(300)}`);
    assert.equal(judgeMessage(endless, 'shop.example'), replies.headerTooLarge);
  });

  it('knows no author in a message without a header', () => {
    assert.equal(
      judgeMessage(Buffer.from('\r\nFrom: a@shop.example\r\n'), 'shop.example'),
      replies.fromMissing,
    );
    assert.equal(judgeMessage(Buffer.alloc(0), 'shop.example'), replies.fromMissing);
  });

  it('contract 4: needs a To field, whoever the envelope names', () => {
    const withoutTo = Buffer.from('From: a@shop.example\r\nCc: b@receiver.example\r\n\r\nbody\r\n');
    assert.equal(judgeMessage(withoutTo, 'shop.example'), replies.toMissing);
    assert.equal(judge('From: a@shop.example'), undefined);
  });

  it('AD-8: calls more than fifty hops a loop', () => {
    const hops = (count: number) => `From: a@shop.example\r\n${'Received: by x\r\n'.repeat(count).trimEnd()}`;
    assert.equal(judge(hops(50)), undefined);
    assert.equal(judge(hops(51)), replies.mailLoop);
  });
});
