import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { correctReply, libraryReplies } from '../../gateway/library-replies.ts';
import { replies } from '../../gateway/replies.ts';
import { formatReply, withText } from '../../lib/mail/reply.ts';

describe('replies', () => {
  for (const [name, { code, enhanced, text }] of Object.entries(replies)) {
    it(`${name} is a sound reply: ${code} ${enhanced} ${text}`, () => {
      assert.ok(code >= 200 && code < 560);
      // RFC 3463 2: the class of both codes is the same
      assert.match(enhanced, new RegExp(`^${String(code)[0]}\\.\\d{1,3}\\.\\d{1,3}$`));
      assert.match(text, /^[A-Z][ -~]{1,100}$/);
    });
  }

  it('carry a foreign text only as far as a line of ASCII can', () => {
    const reply = withText(replies.sendingRefused, `No\r\n250 ok\0 für ${'x'.repeat(1_000)}`);
    assert.match(formatReply(reply), /^5\.7\.1 No\?250 ok\? f\?r x+$/);
    assert.equal(reply.text.length, 400);
  });
});

describe('libraryReplies', () => {
  const library = ['smtp-connection', 'smtp-server', 'smtp-stream']
    .map((name) => fileURLToPath(import.meta.resolve(`smtp-server/lib/${name}.js`)))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');

  for (const [text, reply] of Object.entries(libraryReplies)) {
    it(`"${text}" is what the installed smtp-server says`, () => {
      assert.ok(library.includes(text.replace(/^Error: (?=Command line)/, '')));
      assert.equal(correctReply(text, { isSecure: true }), reply);
    });
  }

  it('ask for TLS before authentication', () => {
    const said = 'Error: authentication Required';
    assert.equal(correctReply(said, { isSecure: false }), replies.starttlsRequired);
    assert.equal(correctReply(said, { isSecure: true }), replies.authenticationRequired);
  });

  it('leave what is right', () => {
    assert.equal(correctReply('Accepted', { isSecure: true }), undefined);
    assert.equal(correctReply('', { isSecure: true }), undefined);
  });
});
