import assert from 'node:assert/strict';
import { hash, X509Certificate } from 'node:crypto';
import { findTlsa, matchesTlsa, readTlsa, type Tlsa } from '../../../lib/tls/dane.ts';
import type { ValidatedAnswer } from '../../../lib/tls/validated-lookup.ts';
import { createValidatedLookup } from '../../../lib/tls/validated-lookup.ts';
import { issueCertificate } from '../../support/certificates.ts';
import { startTestDns } from '../../support/dns.ts';

const asked = { domain: 'one.test', mx: 'mx.one.test', port: 25 };
const secure: ValidatedAnswer = { ok: true, isSecure: true, data: [] };
const insecure: ValidatedAnswer = { ok: true, isSecure: false, data: [] };
const pin = Buffer.from([3, 1, 1, 9, 9]);

describe('TLSA records of an MX host (TL-13)', () => {
  for (const [what, mx, address, tlsa, finding] of [
    ['are read where all is validated', secure, secure, { ...secure, data: [pin] }, 1],
    ['are none where the MX record is not', insecure, secure, { ...secure, data: [pin] }, 0],
    ['are none where the address is not', secure, insecure, { ...secure, data: [pin] }, 0],
    ['are none where they are not', secure, secure, { ...insecure, data: [pin] }, 0],
    ['are unknown where they are bogus', secure, secure, { ok: false as const }, undefined],
  ] as const) {
    it(what, async () => {
      const answers = new Map<number, ValidatedAnswer>([
        [15, mx],
        [1, address],
        [52, { ...tlsa }],
      ]);
      const found = await findTlsa(asked, async (_name, type) => answers.get(type) ?? { ok: false });
      assert.equal(found.ok ? found.records.length : undefined, finding);
    });
  }

  it('are none of what is too short', () => assert.deepEqual(readTlsa(Buffer.from([3, 1, 1])), []));

  it('are asked of the resolver, which does not validate unless it says so', async () => {
    const dns = await startTestDns();
    dns.set('one.test', { type: 'MX', priority: 10, exchange: 'mx.one.test' });
    const lookUp = createValidatedLookup(`127.0.0.1:${dns.port}`);
    assert.partialDeepStrictEqual(await lookUp('one.test', 15), { ok: true, isSecure: false });
    dns.break('bogus.test', 'failed');
    assert.deepEqual(await lookUp('bogus.test', 15), { ok: false });
    await dns.close();
    assert.deepEqual(await lookUp('one.test', 15), { ok: false });
  });
});

describe('a certificate before TLSA records (TL-13)', () => {
  let own: X509Certificate;
  let other: X509Certificate;
  before(async () => {
    own = new X509Certificate((await issueCertificate('mx.one.test')).cert);
    other = new X509Certificate((await issueCertificate('mx.one.test')).cert);
  });
  const keyOf = (certificate: X509Certificate) =>
    certificate.publicKey.export({ type: 'spki', format: 'der' });
  const record = (usage: number, selector: number, matching: number, data: Buffer): Tlsa => ({
    usage,
    selector,
    matching,
    data,
  });

  it('matches by key or by certificate, whole or by hash', () => {
    for (const matching of [
      record(3, 1, 1, hash('sha256', keyOf(own), 'buffer')),
      record(3, 1, 2, hash('sha512', keyOf(own), 'buffer')),
      record(3, 0, 0, own.raw),
    ]) {
      assert.equal(matchesTlsa([matching], [own], 'mx.one.test'), true);
      assert.equal(matchesTlsa([matching], [other], 'mx.one.test'), false);
    }
  });

  it('is not believed because a pinned certificate is shown beside it', () => {
    const pinned = record(2, 0, 0, own.raw);
    assert.equal(matchesTlsa([pinned], [other, own], 'mx.one.test'), false);
  });

  it('says nothing where no record is usable', () => {
    assert.equal(matchesTlsa([record(1, 0, 0, other.raw)], [own], 'mx.one.test'), undefined);
    assert.equal(matchesTlsa([], [own], 'mx.one.test'), undefined);
  });
});
