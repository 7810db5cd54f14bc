import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { TlsMemory } from '../../../lib/tls/memory.ts';
import { fetchStsPolicy, type StsFetchResult } from '../../../lib/tls/sts-fetch.ts';
import { createStsFinder } from '../../../lib/tls/sts-finder.ts';
import { allowsMx, parseStsPolicy, readStsId } from '../../../lib/tls/sts-policy.ts';
import { portOf } from '../../../sandbox/port.ts';
import { issueCertificate } from '../../support/certificates.ts';

const POLICY =
  'version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmx: *.backup.test\r\nmax_age: 86400\r\n';
const enforce = { mode: 'enforce' as const, maxAgeSeconds: 86_400, mx: ['mx.example.test', '*.backup.test'] };

describe('MTA-STS record and policy (TL-12)', () => {
  for (const [records, id] of [
    [['v=STSv1; id=20260101T000000;'], '20260101T000000'],
    [['v=spf1 -all', 'v=STSv1;id=a1'], 'a1'],
    [['v=STSv1; id=a1', 'v=STSv1; id=a2'], undefined],
    [['v=STSv1; id=not-allowed'], undefined],
    [['v=STSv12; id=a1'], undefined],
    [[], undefined],
  ] as const) {
    it(`reads ${JSON.stringify(records)}`, () => assert.equal(readStsId(records), id));
  }

  for (const [what, text, policy] of [
    ['a policy', POLICY, enforce],
    ['line ends of Unix, unknown fields', `${POLICY.replaceAll('\r', '')}next: 1\n`, enforce],
    ['no version', POLICY.replace('version: STSv1\r\n', ''), undefined],
    ['no age', POLICY.replace('max_age: 86400', ''), undefined],
    ['no host', 'version: STSv1\nmode: enforce\nmax_age: 1', undefined],
    ['a mode of its own', POLICY.replace('enforce', 'strict'), undefined],
    ['none', 'version: STSv1\nmode: none\nmax_age: 1', { mode: 'none', maxAgeSeconds: 1, mx: [] }],
    ['a pattern in the middle', POLICY.replace('mx.example', 'mx.*.example'), undefined],
  ] as const) {
    it(`parses ${what}`, () => assert.deepEqual(parseStsPolicy(text), policy));
  }

  it('takes a star for one label', () => {
    assert.deepEqual(
      ['mx.example.test', 'a.backup.test', 'a.b.backup.test', 'backup.test', 'mx.example.test.evil.test'].map(
        (host) => allowsMx(enforce, host),
      ),
      [true, true, false, false, false],
    );
  });
});

describe('fetching a policy of MTA-STS (TL-12)', () => {
  let server: Server;
  let answer: (response: ServerResponse) => void;
  const trusted = getCACertificates('default');

  before(async () => {
    const { cert, key } = await issueCertificate('mta-sts.example.test');
    setDefaultCACertificates([...trusted, cert]);
    server = createServer({ cert, key }, (_request, response) => answer(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    setDefaultCACertificates(trusted);
    server.closeAllConnections();
    server.close();
  });

  const fetchFrom = (domain: string, allowsPrivate = true) =>
    fetchStsPolicy(domain, {
      resolve: async () => ['127.0.0.1'],
      port: portOf(server),
      allowsPrivate,
      deadlineMs: 300,
    });
  const say = (status: number, text: string, headers = {}) => {
    answer = (response) => response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(text);
  };

  it('takes what the host has', async () => {
    say(200, POLICY);
    assert.deepEqual(await fetchFrom('example.test'), { ok: true, policy: enforce });
  });

  for (const [reason, status, text, headers] of [
    ['status', 404, POLICY],
    ['status', 302, '', { location: 'https://mta-sts.example.test/' }],
    ['status', 200, POLICY, { 'content-type': 'text/html' }],
    ['too_large', 200, `${POLICY}${'#'.repeat(65_536)}`],
    ['invalid', 200, 'hello'],
  ] as const) {
    it(`has none of ${status} ${text.slice(0, 12).trim()}… (${reason})`, async () => {
      say(status, text, headers);
      assert.deepEqual(await fetchFrom('example.test'), { ok: false, reason });
    });
  }

  it('does not wait longer than its deadline', async () => {
    answer = () => {};
    assert.deepEqual(await fetchFrom('example.test'), { ok: false, reason: 'unreachable' });
  });

  it('has none of a host whose certificate is for another name', async () => {
    say(200, POLICY);
    assert.deepEqual(await fetchFrom('other.test'), { ok: false, reason: 'webpki' });
  });

  it('does not ask our own network in production', async () => {
    say(200, POLICY);
    assert.deepEqual(await fetchFrom('example.test', false), { ok: false, reason: 'unreachable' });
  });
});

describe('the MTA-STS policy that holds now (TL-12)', () => {
  function arrange() {
    const values = new Map<string, string>();
    const memory: TlsMemory = {
      get: async (key) => values.get(key),
      set: async (key, value) => void values.set(key, value),
      count: async () => {},
      close() {},
    };
    const world = {
      now: 1_000_000,
      records: ['v=STSv1; id=a1'] as string[] | undefined,
      fetched: { ok: true, policy: enforce } as StsFetchResult,
      fetches: 0,
    };
    const open = () =>
      createStsFinder({
        memory,
        now: () => world.now,
        lookUp: async () => world.records,
        fetch: async () => {
          world.fetches += 1;
          return world.fetched;
        },
      });
    return { world, open };
  }

  it('is fetched once for an id, by all processes together', async () => {
    const { world, open } = arrange();
    const find = open();
    await Promise.all([find('example.test'), find('example.test')]);
    assert.deepEqual(await open()('example.test'), { policy: enforce });
    assert.equal(world.fetches, 1);
  });

  it('is fetched again for another id', async () => {
    const { world, open } = arrange();
    await open()('example.test');
    world.records = ['v=STSv1; id=a2'];
    await open()('example.test');
    assert.equal(world.fetches, 2);
  });

  for (const records of [[], undefined]) {
    it(`holds for its age while the DNS has ${records ? 'no record any more' : 'no answer'}`, async () => {
      const { world, open } = arrange();
      await open()('example.test');
      world.records = records;
      assert.deepEqual(await open()('example.test'), { policy: enforce });
      world.now += 86_400_001;
      assert.deepEqual(await open()('example.test'), {});
    });
  }

  it('stays when the next one cannot be fetched', async () => {
    const { world, open } = arrange();
    await open()('example.test');
    world.records = ['v=STSv1; id=a2'];
    world.fetched = { ok: false, reason: 'status' };
    assert.deepEqual(await open()('example.test'), { policy: enforce, failure: 'status' });
  });
});
