/** Signatures as the inbound server finds them: DKIM (DM-3, DM-4, HD-8) and ARC (DM-2). */
import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync, hash } from 'node:crypto';
import { sealMessage } from 'mailauth';
import { verifyMessage } from '../../inbound/authenticate.ts';
import type { Resolve } from '../../inbound/resolver.ts';

const DAY = 86_400;
const NOW = Math.floor(Date.now() / 1000);
const createKey = (modulusLength: number) =>
  generateKeyPairSync('rsa', {
    modulusLength,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
const key = createKey(2048);
const weak = createKey(512);
const published = (publicKey: Buffer) => `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}`;
const records: Readonly<Record<string, string>> = {
  's._domainkey.sender.test': published(key.publicKey),
  's._domainkey.other.test': published(key.publicKey),
  'weak._domainkey.sender.test': published(weak.publicKey),
  'revoked._domainkey.sender.test': 'v=DKIM1; k=rsa; p=',
  'broken._domainkey.sender.test': 'v=DKIM1; k=rsa; p=MIIB!',
  'version._domainkey.sender.test': published(key.publicKey).replace('DKIM1', 'DKIM9'),
  'web._domainkey.sender.test': `${published(key.publicKey)}; s=web`,
  '_dmarc.sender.test': 'v=DMARC1; p=reject',
  // RFC 8463 A.2
  'brisbane._domainkey.football.example.com':
    'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
};

const resolve = (async (name: string, type: string) => {
  if (name.startsWith('slow.')) throw Object.assign(new Error(name), { code: 'ETIMEOUT' });
  const text = records[name];
  if (type !== 'TXT' || text === undefined) throw Object.assign(new Error(name), { code: 'ENOTFOUND' });
  return [[text]];
}) as unknown as Resolve;

const verify = (message: string | Buffer) =>
  verifyMessage(
    {
      client: { ip: '192.0.2.9', helo: 'mx.sender.test' },
      sender: 'a@sender.test',
      message: Buffer.from(message),
    },
    { resolve, hostname: 'postern.test' },
  );

const HEADER =
  'From: a@sender.test\r\nTo: b@shop.test\r\nSubject: x\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n';
const BODY = 'body\r\n';
const MESSAGE = `${HEADER}\r\n${BODY}`;

/** By hand, simple/simple (RFC 6376 3.4.1), so that a signature can say anything. @param tags in place of the usual ones */
function sign(tags: Record<string, string> = {}, { privateKey }: { privateKey: string } = key): string {
  const all = {
    ...{ v: '1', a: 'rsa-sha256', d: 'sender.test', s: 's', h: 'From:To:Subject:Date' },
    bh: hash('sha256', BODY, 'base64'),
    ...tags,
  };
  const field = `DKIM-Signature: ${Object.entries(all)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')}; b=`;
  const left = HEADER.split('\r\n').filter(Boolean);
  const lines = all.h.split(':').flatMap((name) => {
    const at = left.findLastIndex((line) => line.startsWith(`${name}:`));
    return at < 0 ? [] : left.splice(at, 1);
  });
  const text = [...lines, field].join('\r\n');
  const digest = all.a === 'rsa-sha1' ? 'sha1' : 'sha256';
  return `${field}${createSign(digest).update(text).sign(privateKey, 'base64')}\r\n${MESSAGE}`;
}

describe('DKIM of what comes in (RFC 6376)', () => {
  for (const [about, message, result] of [
    ['a signature', sign(), 'pass'],
    ['another body', sign().replace('body', 'bodY'), 'fail'],
    ['another subject', sign().replace('Subject: x', 'Subject: y'), 'fail'],
    ['3.3.1 SHA-1 (RFC 8301)', sign({ a: 'rsa-sha1', bh: hash('sha1', BODY, 'base64') }), 'policy'],
    ['3.3.3 a key of 512 bits (RFC 8301)', sign({ s: 'weak' }, weak), 'policy'],
    ['3.5 x= in the past', sign({ t: `${NOW - 2 * DAY}`, x: `${NOW - DAY}` }), 'neutral'],
    ['3.5 x= in the future', sign({ t: `${NOW}`, x: `${NOW + DAY}` }), 'pass'],
    ['3.5 x= before t=', sign({ t: `${NOW + 2 * DAY}`, x: `${NOW + DAY}` }), 'neutral'],
    ['5.4 h= without From', sign({ h: 'To:Subject' }), 'neutral'],
    ['3.6.1 a revoked key', sign({ s: 'revoked' }), 'neutral'],
    ['3.6.1 a key that is none', sign({ s: 'broken' }), 'neutral'],
    ['3.6.1 another version of the key', sign({ s: 'version' }), 'neutral'],
    ['3.6.1 a key for something else', sign({ s: 'web' }), 'neutral'],
    ['6.1.2 no key', sign({ s: 'none' }), 'neutral'],
    ['6.1.2 no answer', sign({ s: 'slow' }), 'temperror'],
    ['3.5 i= of another domain', sign({ i: '@other.test' }), 'neutral'],
    ['3.2 a tag twice', sign({ d: 'sender.test; d=other.test' }), 'neutral'],
    ['3.5 another version', sign({ v: '2' }), 'neutral'],
    ['3.5 no bh=', sign({ bh: '' }), 'fail'],
    ['3.5 l= of the whole body', sign({ l: `${BODY.length}` }), 'pass'],
    ['3.5 l= shorter than the body', `${sign({ l: `${BODY.length}` })}appended\r\n`, 'policy'],
  ] as const) {
    it(`DM-4 ${about}: ${result}`, async () => {
      const { dkim, dmarc } = await verify(message);
      assert.equal(dkim[0]?.result, result);
      assert.equal(dmarc.result, result === 'pass' ? 'pass' : 'fail');
    });
  }

  for (const field of ['From', 'To', 'Subject']) {
    it(`HD-8: a second ${field} in front of an oversigned message does not pass`, async () => {
      const h = 'From:From:To:To:Subject:Subject';
      assert.equal((await verify(sign({ h }))).dkim[0]?.result, 'pass');
      const { dkim, dmarc } = await verify(`${field}: z@other.test\r\n${sign({ h })}`);
      assert.notEqual(dkim[0]?.result, 'pass');
      assert.notEqual(dmarc.result, 'pass');
    });
  }

  it('DM-3: passes the Ed25519 signature of RFC 8463 A.3', async () => {
    const message = [
      'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;',
      ' d=football.example.com; i=@football.example.com;',
      ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
      ' subject : date : message-id : from : subject : date;',
      ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
      ' b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus',
      ' Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
      'From: Joe SixPack <joe@football.example.com>',
      'To: Suzie Q <suzie@shopping.example.net>',
      'Subject: Is dinner ready?',
      'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
      'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
      '',
      'Hi.',
      '',
      'We lost the game.  Are you hungry yet?',
      '',
      'Joe.',
      '',
    ].join('\r\n');
    const [found] = (await verify(message)).dkim;
    assert.deepEqual(found, { result: 'pass', domain: 'football.example.com', selector: 'brisbane' });
  });
});

describe('ARC of what comes in (DM-2, RFC 8617)', () => {
  const seal = async (message: string, cv: 'none' | 'pass' | 'fail' = 'none') => {
    const sealed = await sealMessage(message, {
      ...{ signingDomain: 'sender.test', selector: 's', privateKey: key.privateKey },
      ...{ authResults: 'mx.sender.test; spf=pass', cv },
    });
    return `${sealed.toString().trim()}\r\n${message}`;
  };

  it('passes a chain of one and of two', async () => {
    const one = await seal(MESSAGE);
    assert.equal((await verify(one)).arc.result, 'pass');
    assert.equal((await verify(await seal(one, 'pass'))).arc.result, 'pass');
  });

  for (const [about, alter] of [
    ['another body', (sealed: string) => sealed.replace('body', 'bodY')],
    ['another subject', (sealed: string) => sealed.replace('Subject: x', 'Subject: y')],
    ['other results', (sealed: string) => sealed.replace('spf=pass', 'spf=fail')],
    ['a seal that says that the chain was broken', (sealed: string) => sealed.replace('cv=none', 'cv=fail')],
    ['a set without its seal', (sealed: string) => sealed.replace(/ARC-Seal:.*?\r\n(?! )/s, '')],
    ['a chain that begins with two', (sealed: string) => sealed.replaceAll('i=1;', 'i=2;')],
    ['a seal twice', (sealed: string) => sealed.replace(/ARC-Seal:.*?\r\n(?! )/s, (one) => one + one)],
    ['sets beyond fifty', (sealed: string) => sealed.replaceAll('i=1;', 'i=51;')],
  ] as const) {
    it(`does not pass ${about}`, async () => {
      const altered = alter(await seal(MESSAGE));
      assert.notEqual(altered, await seal(MESSAGE));
      assert.notEqual((await verify(altered)).arc.result, 'pass');
    });
  }

  it('a chain that passes makes no DMARC of it', async () => {
    const sealed = await seal(MESSAGE);
    assert.equal((await verify(sealed)).dmarc.result, 'fail');
  });
});
