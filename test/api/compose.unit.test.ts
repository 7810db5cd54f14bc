import assert from 'node:assert/strict';
import { type ParsedMail, simpleParser } from 'mailparser';
import { composeMessage, listRecipients } from '../../api/mail/compose.ts';
import { readSendRequest, type SendRequest } from '../../api/mail/send-request.ts';
import { createTestSettings } from '../support/settings.ts';

const options = { limits: createTestSettings().limits, offersUnsubscribe: false };

function read(payload: object): SendRequest {
  const result = readSendRequest(
    { from: 'a@sender.test', to: 'b@example.com', textbody: 'Hello', ...payload },
    'sender.test',
    options,
  );
  if (!result.ok) throw new Error(JSON.stringify(result.refusal));
  return result.request;
}

async function compose(payload: object): Promise<{ raw: string; parsed: ParsedMail; messageId: string }> {
  const { content, messageId } = await composeMessage(read(payload));
  const raw = content.toString('latin1');
  assert.equal(/(?<!\r)\n|\r(?!\n)|\0/.test(raw), false, 'bare line ends');
  assert.equal(
    raw.split('\r\n').some((line) => line.length > 998),
    false,
    'long lines',
  );
  return { raw, parsed: await simpleParser(content), messageId };
}

const addresses = (field: ParsedMail['to']) => [field ?? []].flat().flatMap(({ value }) => value);

describe('api/mail/compose', () => {
  it('writes what was asked for', async () => {
    const { parsed, messageId, raw } = await compose({
      from: 'Jürgen <a@sender.test>',
      to: '"Last, First" <b@example.com>, c@example.com',
      cc: 'd@example.com',
      subject: 'Grüße',
      textbody: 'Hällo\nWorld',
      htmlbody: '<p>Hällo</p>',
      replyto: 'r@example.com, s@example.com',
      inreplyto: '<x@example.com>',
      references: '<x@example.com> <y@example.com>',
    });

    assert.deepEqual(parsed.from?.value, [{ name: 'Jürgen', address: 'a@sender.test' }]);
    assert.deepEqual(addresses(parsed.to), [
      { name: 'Last, First', address: 'b@example.com' },
      { name: '', address: 'c@example.com' },
    ]);
    assert.deepEqual(addresses(parsed.cc), [{ name: '', address: 'd@example.com' }]);
    assert.deepEqual(
      addresses(parsed.replyTo).map(({ address }) => address),
      ['r@example.com', 's@example.com'],
    );
    assert.equal(parsed.subject, 'Grüße');
    assert.equal(parsed.text?.trim(), 'Hällo\nWorld');
    assert.equal(parsed.html, '<p>Hällo</p>');
    assert.equal(parsed.inReplyTo, '<x@example.com>');
    assert.deepEqual(parsed.references, ['<x@example.com>', '<y@example.com>']);
    assert.match(messageId, /^<[0-9a-f-]{36}@sender\.test>$/);
    assert.equal(parsed.messageId, messageId);
    assert.ok(Math.abs(Date.now() - (parsed.date?.getTime() ?? 0)) < 5_000);
    assert.equal(/^subject:/im.test(raw), true);
  });

  it('tells nobody of a blind copy', async () => {
    const { raw } = await compose({ bcc: 'secret@example.com' });

    assert.equal(/^bcc:|secret/im.test(raw), false);
  });

  it('writes List-Unsubscribe unchanged, however long its URIs', async () => {
    const uri = `https://example.com/${'u'.repeat(800)}`;
    const { parsed, raw } = await compose({ list_unsubscribe: `<${uri}>,<mailto:u@example.com>` });

    assert.equal(raw.includes(`<${uri}>`), true);
    assert.deepEqual(parsed.headers.get('list'), {
      unsubscribe: { url: uri, mail: 'u@example.com' },
    });
  });

  it('puts attachments in whole, and images with a cid inline', async () => {
    const bytes = Buffer.from(Array.from({ length: 5000 }, (_, n) => (n * 7) % 256));
    const { parsed } = await compose({
      htmlbody: '<img src="cid:logo">',
      attachments: [
        { name: 'ü b.pdf', content: bytes.toString('base64').replaceAll(/(.{76})/g, '$1\r\n') },
        { name: 'logo.png', content: bytes.toString('base64'), content_type: 'image/png', cid: '<logo>' },
        { name: 'empty.txt', content: '' },
      ],
    });

    assert.deepEqual(
      parsed.attachments.map(({ filename, contentType, contentDisposition, cid, content }) => ({
        filename,
        contentType,
        contentDisposition,
        cid,
        isWhole: content.equals(filename === 'empty.txt' ? Buffer.alloc(0) : bytes),
      })),
      [
        {
          filename: 'logo.png',
          contentType: 'image/png',
          contentDisposition: 'inline',
          cid: 'logo',
          isWhole: true,
        },
        {
          filename: 'ü b.pdf',
          contentType: 'application/pdf',
          contentDisposition: 'attachment',
          cid: undefined,
          isWhole: true,
        },
        {
          filename: 'empty.txt',
          contentType: 'text/plain',
          contentDisposition: 'attachment',
          cid: undefined,
          isWhole: true,
        },
      ],
    );
  });

  for (const sequence of [
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r.\r',
    '\r.\n',
    '\n.\r',
    '\r.\r\n',
    '\r\n.\r',
    '\r\n\0.\r\n',
  ]) {
    it(`leaves no way out of the message with ${JSON.stringify(sequence)} (SM-14)`, async () => {
      const text = `A${sequence}MAIL FROM:<evil@x>\r\n${'y'.repeat(2_000)}`;
      const { parsed } = await compose({
        textbody: text,
        htmlbody: text,
        attachments: [{ name: 'a.txt', content: Buffer.from(text).toString('base64') }],
      });

      assert.equal(parsed.attachments[0]?.content.toString(), text);
      assert.equal(parsed.text?.includes('MAIL FROM:<evil@x>'), true);
    });
  }

  it('leaves encoded words encoded, whatever they hide (HD-4)', async () => {
    const { raw } = await compose({
      subject: '=?utf-8?q?=0d=0aBcc:x@y?=',
      to: '"=?utf-8?q?=0d=0aBcc:x@y?=" <b@example.com>',
    });

    assert.equal(raw.includes('Subject: =?utf-8?q?=0d=0aBcc:x@y?=\r\n'), true);
    assert.equal(/^bcc/im.test(raw), false);
  });

  it('lists every recipient once', () => {
    const request = read({
      to: 'b@example.com, B <b@example.com>',
      cc: 'b@example.com, c@example.com',
      bcc: 'd@x.example',
    });

    assert.deepEqual(listRecipients(request), [
      { address: 'b@example.com', kind: 'to' },
      { address: 'c@example.com', kind: 'cc' },
      { address: 'd@x.example', kind: 'bcc' },
    ]);
  });

  it('reads hostile headers in linear time (MB-8)', () => {
    const started = performance.now();
    for (const filler of ['a', '@', '<', ' ', ',', '>,<', ';', '"']) {
      const value = filler.repeat(50_000);
      for (const field of ['references', 'inreplyto', 'list_unsubscribe', 'subject', 'to']) {
        readSendRequest(
          { from: 'a@sender.test', to: 'b@x.example', textbody: 'x', [field]: value },
          'sender.test',
          options,
        );
      }
      const attachments = [
        { name: `${value}.pdf`, content: value, content_type: `a/b${value}!`, cid: value },
      ];
      readSendRequest(
        { from: 'a@sender.test', to: 'b@x.example', textbody: 'x', attachments },
        'sender.test',
        options,
      );
    }
    assert.ok(performance.now() - started < 1_000);
  });
});
