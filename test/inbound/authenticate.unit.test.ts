import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth';
import { removeForgedResults, verifyMessage } from '../../inbound/authenticate.ts';
import type { Resolve } from '../../inbound/resolver.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const records: Readonly<Record<string, string>> = {
  'sender.example': 'v=spf1 ip4:192.0.2.1 -all',
  '_dmarc.sender.example': 'v=DMARC1; p=reject; adkim=s; aspf=s',
  's._domainkey.sender.example': `v=DKIM1; p=${publicKey.toString('base64')}`,
};

const resolve = (async (name: string, type: string) => {
  const text = records[name];
  if (type !== 'TXT' || text === undefined) throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
  return [[text]];
}) as unknown as Resolve;

const FROM = 'From: a@sender.example\r\n';
const REST = 'To: b@shop.example\r\nSubject: x\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\nbody\r\n';

const verify = (message: string, { ip = '192.0.2.9', sender = 'a@sender.example' } = {}) =>
  verifyMessage(
    { client: { ip, helo: 'mail.sender.example' }, sender, message: Buffer.from(message, 'latin1') },
    { resolve, hostname: 'postern.test' },
  );

async function sign(message: string): Promise<string> {
  const identity = { signingDomain: 'sender.example', selector: 's', privateKey };
  const { signatures } = await dkimSign(message, { ...identity, signatureData: [identity] });
  return `${signatures.trim()}\r\n${message}`;
}

describe('verifyMessage', () => {
  it('passes what SPF vouches for', async () => {
    const { spf, dkim, dmarc } = await verify(FROM + REST, { ip: '192.0.2.1' });
    assert.deepEqual(spf, { result: 'pass', domain: 'sender.example' });
    assert.deepEqual(dkim, []);
    assert.deepEqual(dmarc, { result: 'pass', domain: 'sender.example', policy: 'reject' });
  });

  it('passes what is signed, from anywhere', async () => {
    const { spf, dkim, dmarc } = await verify(await sign(FROM + REST));
    assert.equal(spf.result, 'fail');
    assert.deepEqual(dkim, [{ result: 'pass', domain: 'sender.example', selector: 's' }]);
    assert.equal(dmarc.result, 'pass');
  });

  it('fails what is neither', async () => {
    const { dmarc } = await verify(FROM + REST);
    assert.deepEqual(dmarc, { result: 'fail', domain: 'sender.example', policy: 'reject' });
  });

  it('DM-4: fails a body that was changed, and a look-up that finds nothing', async () => {
    const signed = await sign(FROM + REST);
    assert.notEqual((await verify(signed.replace('body', 'bodY'))).dkim[0]?.result, 'pass');
    assert.notEqual((await verify(signed.replaceAll('s=s;', 's=t;'))).dkim[0]?.result, 'pass');
  });

  it('DM-4: looks at ten signatures of thirty', async () => {
    const { dkim } = await verify(
      (await sign(FROM + REST)).replace(/^DKIM-Signature:.*?\r\n(?! )/s, (one) => one.repeat(30)),
    );
    assert.equal(dkim.length, 10);
  });

  for (const [name, header] of [
    ['two From fields', `${FROM}From: x@other.example\r\n`],
    ['a From field that is folded before its colon', 'From\r\n : a@sender.example\r\n'],
    ['a space before the colon', 'From : a@sender.example\r\n'],
    ['a space before the name', ` ${FROM}`],
    ['two authors', 'From: a@sender.example, x@other.example\r\n'],
    ['a group', 'From: g: a@sender.example;\r\n'],
    ['no From', ''],
  ] as const) {
    it(`HD-5: does not pass ${name}`, async () => {
      const { dmarc } = await verify(header + REST, { ip: '192.0.2.1' });
      assert.notEqual(dmarc.result, 'pass');
    });
  }

  it('has a result for a message that claims nothing', async () => {
    const { spf, dmarc, arc } = await verify('\r\n', { sender: '' });
    assert.deepEqual([spf.result, dmarc.result, arc.result], ['none', 'permerror', 'none']);
  });
});

describe('removeForgedResults', () => {
  it('leaves a message without them as it is, byte for byte', () => {
    const message = Buffer.from(`${FROM}X: \xff\r\n${REST}`, 'latin1');
    assert.equal(removeForgedResults(message, 'postern.test'), message);
  });
});
