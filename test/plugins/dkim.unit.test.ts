import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { canonicalizeField, createSignature, selectFields } from '../../plugins/dkim.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = {
  selector: 's1',
  algorithm: 'rsa-sha256' as const,
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
};
const record = `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`;

const BODY = 'Hello  world\r\n';
const HEADERS = [
  'From: =?utf-8?q?J=C3=B6rg?= <a@sender.test>',
  'To: b@one.test,\r\n\tc@two.test',
  'Subject:   folded \r\n  and   spaced\t',
  'Message-ID: <1@sender.test>',
  'MIME-Version: 1.0',
  'X-Not-Signed: 1',
];

function headersOf(lines: string[]) {
  const list = lines.map((line) => ({ key: line.slice(0, line.indexOf(':')).toLowerCase(), line }));
  return { getList: () => list, getFirst: () => '', hasHeader: () => true, remove() {}, addFormatted() {} };
}

function sign(lines: string[], body = BODY): string {
  const relaxed = body.replace(/[ \t]+/g, ' ').replace(/ (?=\r\n)/g, '');
  const bodyHash = createHash('sha256').update(relaxed, 'latin1').digest('base64');
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createSignature(selectFields(headersOf(lines)), {
    domain: 'sender.test',
    key,
    bodyHash,
    timestamp,
  });
  return `${signature}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

async function verify(message: string): Promise<string> {
  const { results } = await dkimVerify(Buffer.from(message, 'latin1'), {
    resolver: async () => [[record]],
    sender: 'a@sender.test',
  });
  return results[0]?.status.result ?? 'none';
}

describe('dkim signature', () => {
  it('verifies', async () => {
    assert.equal(await verify(sign(HEADERS)), 'pass');
  });

  it('keeps its lines short', () => {
    const [signature] = sign(HEADERS).split('\r\nFrom:');

    for (const line of signature?.split('\r\n') ?? []) assert.ok(line.length <= 78, line);
  });

  it('verifies with repeated fields and with 8-bit bytes in a header', async () => {
    const lines = [
      ...HEADERS.slice(1),
      'From: J\xc3\xb6rg\xa0 <a@sender.test>',
      'Cc: x@y.test',
      'Cc: z@y.test',
    ];

    assert.equal(await verify(sign(lines)), 'pass');
  });

  for (const name of ['From', 'To', 'Subject']) {
    it(`breaks when a second ${name} is added behind it (HD-8)`, async () => {
      assert.equal(
        await verify(sign(HEADERS).replace('\r\n\r\n', `\r\n${name}: x@evil.test\r\n\r\n`)),
        'fail',
      );
    });
  }

  for (const field of [
    'List-Unsubscribe: <https://a.test/x>',
    'List-Unsubscribe-Post: List-Unsubscribe=One-Click',
  ]) {
    const [name = ''] = field.split(':');
    it(`signs ${name}, and breaks when a second one is added behind it (HD-8, RFC 8058 4)`, async () => {
      const message = sign([...HEADERS, field]);

      assert.equal(await verify(message), 'pass');
      assert.equal(await verify(message.replace('a.test', 'b.test').replace('One-Click', 'One')), 'fail');
      assert.equal(await verify(message.replace('\r\n\r\n', `\r\n${field}\r\n\r\n`)), 'fail');
    });
  }

  it('breaks when the body is changed', async () => {
    assert.notEqual(await verify(sign(HEADERS).replace('world', 'w0rld')), 'pass');
  });

  it('folds white space as RFC 6376 3.4.2 has it', () => {
    assert.equal(canonicalizeField('SUBJect \t:  a \r\n\t b\t '), 'subject:a b');
    assert.equal(canonicalizeField('X: \xa0a\xa0'), 'x:\xa0a\xa0');
  });
});
