import assert from 'node:assert/strict';
import type { Connection, Delivery } from '../../lib/mta-types.ts';
import { HookRefusal } from '../../lib/plugin.ts';
import type { StsFinding } from '../../lib/tls/sts-finder.ts';
import type { StsPolicy } from '../../lib/tls/sts-policy.ts';
import { findViolation } from '../../lib/tls/violation.ts';
import { createTlsHooks, replies } from '../../plugins/tls-policy.ts';

const policyOf = (mode: StsPolicy['mode']): StsPolicy => ({ mode, maxAgeSeconds: 60, mx: ['mx.one.test'] });
const good = { mx: 'mx.one.test', version: 'TLSv1.3', isAuthorized: true };

describe('terms of TLS', () => {
  const required = { isRequired: true };
  const enforced = { isRequired: false, policy: policyOf('enforce') };
  for (const [what, terms, facts, violation] of [
    [
      'TL-10: none is needed where nothing is asked',
      { isRequired: false },
      { ...good, version: null },
      undefined,
    ],
    ['TL-11: required, none', required, { ...good, version: null }, 'noTls'],
    ['TL-11: required, a bad certificate', required, { ...good, isAuthorized: false }, 'badCertificate'],
    ['TL-11: required, TLS 1.1', required, { ...good, version: 'TLSv1.1' }, 'oldTls'],
    ['TL-11: required, well', required, good, undefined],
    ['TL-12: enforce, an MX that is not in it', enforced, { ...good, mx: 'mx.two.test' }, 'foreignMx'],
    [
      'TL-12: enforce, a certificate of another name',
      enforced,
      { ...good, isAuthorized: false },
      'badCertificate',
    ],
    ['TL-12: enforce, none', enforced, { ...good, version: null }, 'noTls'],
    ['TL-12: enforce, well', enforced, good, undefined],
    ['TL-12: testing', { ...enforced, policy: policyOf('testing') }, { ...good, version: null }, undefined],
    ['TL-13: TLSA that do not match', { isRequired: false }, { ...good, dane: 'mismatched' }, 'tlsaMismatch'],
    ['TL-13: TLSA, no TLS', { isRequired: false }, { ...good, version: null, dane: 'mismatched' }, 'noTls'],
    ['TL-13: TLSA that cannot be validated', { isRequired: false }, { ...good, dane: 'unknown' }, 'noTlsa'],
    [
      'TL-13: TLSA, none usable, no TLS',
      { isRequired: false },
      { ...good, version: null, dane: 'unusable' },
      'noTls',
    ],
    [
      'TL-13: TLSA in place of authorities',
      required,
      { ...good, isAuthorized: false, dane: 'matched' },
      undefined,
    ],
    ['TL-12: none', { ...enforced, policy: policyOf('none') }, { ...good, version: null }, undefined],
  ] as const) {
    it(what, () => assert.equal(findViolation(terms, facts), violation));
  }
});

describe('tls-policy of a delivery', () => {
  const known = new Map<string, string>();
  const logged: string[] = [];
  const counted: { policyType: string; resultType: string }[] = [];
  beforeEach(() => {
    known.clear();
    logged.length = 0;
    counted.length = 0;
  });

  function arrange(finding: StsFinding, memory: 'off' | 'flag' | 'defer' = 'flag') {
    return createTlsHooks(
      {
        findSts: async () => finding,
        wantsReports: async () => true,
        resolveMx: async () => [
          { exchange: 'mx.two.test', priority: 5 },
          { exchange: 'MX.one.test', priority: 10 },
        ],
        memory: {
          get: async (key) => known.get(key),
          set: async (key, value) => void known.set(key, value),
          count: async (_key, field) => void counted.push(JSON.parse(field)),
          close() {},
        },
      },
      { mtaSts: true, validatingNameserver: '', policyPort: 443, caFile: '', memory, memoryDays: 30 },
      { warn: (_details: unknown, message?: string) => void logged.push(message ?? '') },
    );
  }
  const createDelivery = (requiresTls = false) =>
    ({ domain: 'one.test', postern: { requiresTls }, claim: { attempt: 1 } }) as Delivery;
  const connect = (version: string | null, authorized = true): Connection => ({
    secure: version !== null,
    options: { servername: 'mx.one.test' },
    _socket: { getProtocol: () => version, authorized },
  });
  const isReply = (name: keyof typeof replies) => (error: unknown) =>
    error instanceof HookRefusal && error.response.includes(replies[name].text) && error.action === 'defer';

  it('TL-11: a message that requires TLS is put off where there is none, never sent', async () => {
    const { choose, check } = arrange({});
    const delivery = createDelivery(true);
    await choose(delivery);
    assert.equal(delivery.tlsTerms, 'verified');
    await assert.rejects(check(delivery, connect(null)), isReply('noTls'));
    await assert.rejects(check(delivery, connect('TLSv1.3', false)), isReply('badCertificate'));
    await check(delivery, connect('TLSv1.3'));
  });

  it('TL-12: enforce leaves only the hosts of the policy', async () => {
    const { choose, check } = arrange({ policy: policyOf('enforce') });
    const delivery = createDelivery();
    await choose(delivery);
    assert.deepEqual(delivery.mx, [{ exchange: 'MX.one.test', priority: 10 }]);
    await assert.rejects(check(delivery, connect('TLSv1.3', false)), isReply('badCertificate'));
  });

  it('TL-12: enforce puts mail off where no host is in the policy', async () => {
    const { choose } = arrange({ policy: { ...policyOf('enforce'), mx: ['mx.three.test'] } });
    await assert.rejects(choose(createDelivery()), isReply('foreignMx'));
  });

  it('TL-12: testing delivers, and says what would have failed', async () => {
    const { choose, check } = arrange({ policy: policyOf('testing') });
    const delivery = createDelivery();
    await choose(delivery);
    await check(delivery, connect('TLSv1.3', false));
    assert.deepEqual(logged, ['tls.policy_testing_failed']);
  });

  it('TL-12: counts each connection once for the report, by what the policy says', async () => {
    const { choose, check } = arrange({ policy: policyOf('testing') });
    const [first, second] = [createDelivery(), createDelivery()];
    await choose(first);
    await choose(second);
    const connection = connect('TLSv1.3', false);
    await check(first, connection);
    await check(second, connection);
    await check(second, connect('TLSv1.3'));
    assert.deepEqual(
      counted.map(({ policyType, resultType }) => [policyType, resultType]),
      [
        ['sts', 'certificate-not-trusted'],
        ['sts', 'success'],
      ],
    );
  });

  it('TL-14: a domain that had TLS and has none is flagged, or put off', async () => {
    await arrange({}).check(createDelivery(), connect('TLSv1.3', false));
    await arrange({}).check(createDelivery(), connect(null));
    assert.deepEqual(logged, ['tls.gone']);
    await assert.rejects(arrange({}, 'defer').check(createDelivery(), connect(null)), isReply('tlsGone'));
    await arrange({}, 'off').check(createDelivery(), connect(null));
  });
});
