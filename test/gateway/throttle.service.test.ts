import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createAuthenticationThrottle } from '../../gateway/authentication-throttle.ts';
import { createLogger } from '../../lib/log.ts';
import type { DialogClient } from '../dialogs/client.ts';
import { waitFor } from '../support/mail.ts';
import { testRedisUrl } from '../support/postgres.ts';
import { createTestSettings } from '../support/settings.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { authenticate, openSession, showCredentials } from './session.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './test-gateway.ts';

/** Nobody listens there. */
const NO_REDIS = 'redis://127.0.0.1:1/0';
const THROTTLED = '421 4.7.0 Too many failed authentications from your address, try again later';
const FAILED = '535 5.7.8 Authentication credentials invalid';

describe('the authentication throttle (AU-3)', () => {
  let started: TestGateway;
  const clients: DialogClient[] = [];

  const start = async (settings: TestGatewayOptions['gateway'] = {}, redisUrl?: string) => {
    started = await startTestGateway({
      gateway: {
        maxAuthenticationFailures: 100,
        maxAuthenticationFailuresPerAccount: 4,
        maxAuthenticationFailuresPerClient: 8,
        authenticationWindowSeconds: 60,
        ...settings,
      },
      ...(redisUrl ? { redisUrl } : {}),
    });
    return started.target;
  };
  const open = async (localAddress?: string) => {
    const client = await openSession(started.target, localAddress);
    clients.push(client);
    return client;
  };
  const fail = async (times: number, name: (turn: number) => string, localAddress?: string) => {
    const client = await open(localAddress);
    for (let turn = 0; turn < times; turn += 1) {
      assert.equal(await showCredentials(client, name(turn)), FAILED);
    }
    return client;
  };

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await started.close();
  });

  for (const [where, redisUrl] of [
    ['with Redis', undefined],
    ['while Redis is down', NO_REDIS],
  ] as const) {
    it(`stops one user name of one client, ${where}, and the session ends`, async () => {
      await start({}, redisUrl);
      const client = await fail(4, () => 'old-token');
      assert.equal(await showCredentials(client, 'old-token'), THROTTLED);
      await client.expectClosed();
      assert.equal(await showCredentials(await open(), 'old-token'), THROTTLED);
      assert.match(await started.registry.metrics(), /authentications_total\{outcome="throttled"\} 2/);
    });

    it(`stops a client that tries one user name after another, ${where}`, async () => {
      await start({}, redisUrl);
      const client = await fail(8, (turn) => `guess-${turn}`);
      assert.equal(await showCredentials(client, 'guess-9'), THROTTLED);
    });
  }

  it('waits for a silent Redis no longer than a moment', async () => {
    const { hostname: host, port, pathname } = new URL(testRedisUrl());
    const proxy = await startTcpProxy({ host, port: Number(port) });
    try {
      const target = await start({}, `redis://127.0.0.1:${proxy.port}${pathname}`);
      assert.match(await authenticate(await open(), target), /^235 /);
      proxy.hold();
      const startedAt = performance.now();
      await fail(4, () => 'old-token');
      assert.match(await authenticate(await open(), target), /^235 /);
      assert.ok(performance.now() - startedAt < 4_000);
    } finally {
      await proxy.close();
    }
  });

  it('lets a neighbour in whose program shows the right token', async () => {
    const target = await start();
    await fail(4, () => 'old-token');
    assert.match(await authenticate(await open(), target), /^235 /);
  });

  it('locks the owner out nowhere else: 20 clients fail with his user name, he comes from another', async () => {
    const target = await start();
    for (let host = 2; host < 22; host += 1) {
      const client = await open(`127.0.0.${host}`);
      for (let turn = 0; turn < 4; turn += 1) {
        assert.equal(await showCredentials(client, target.token, `wrong-${turn}`), FAILED);
      }
      assert.equal(await showCredentials(client, target.token, 'wrong'), THROTTLED);
    }
    assert.match(await authenticate(await open('127.0.0.99'), target), /^235 /);
  });

  it('keeps a token welcome where it was good before', async () => {
    const target = await start();
    assert.match(await authenticate(await open(), target), /^235 /);
    const client = await fail(8, (turn) => `guess-${turn}`);
    assert.match(await authenticate(client, target), /^235 /);
  });

  it('stops a token that was good here and then revoked', async () => {
    const target = await start();
    assert.match(await authenticate(await open(), target), /^235 /);
    await started.api.setCredential(null);
    const client = await fail(4, () => target.token);
    assert.equal(await authenticate(client, target), THROTTLED);
  });

  it('forgets: window and block end', async () => {
    const target = await start({ authenticationWindowSeconds: 1, authenticationBlockSeconds: 1 });
    const client = await fail(8, (turn) => `guess-${turn}`);
    assert.equal(await authenticate(client, target), THROTTLED);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    assert.match(await authenticate(await open(), target), /^235 /);
  });

  it('answers a failure no sooner than the delay', async () => {
    await start({ authenticationDelayMs: 150 });
    const client = await open();
    const startedAt = performance.now();
    assert.equal(await showCredentials(client, 'wrong'), FAILED);
    assert.ok(performance.now() - startedAt >= 149);
  });
});

describe('the throttles of two gateways', () => {
  it('AU-3: count together over Redis', async () => {
    const options = {
      ...createTestSettings().gateway,
      ...{ redisUrl: testRedisUrl(), authenticationKeyPrefix: `test:${randomUUID()}` },
      maxAuthenticationFailuresPerClient: 1_000,
      log: createLogger('gateway', { level: 'silent' }),
    };
    const [one, other] = [createAuthenticationThrottle(options), createAuthenticationThrottle(options)];
    try {
      const attempt = { address: '192.0.2.1', account: 'a', digest: 'b' };
      // The first ones may come before Redis is connected.
      await waitFor('the lock', async () => {
        await one.countFailure(attempt);
        return (await other.isAllowed(attempt)) ? undefined : true;
      });
      assert.equal(await other.isAllowed({ ...attempt, account: 'c' }), true);
      assert.equal(await other.isAllowed({ ...attempt, address: '192.0.2.2' }), true);
    } finally {
      one.close();
      other.close();
    }
  });
});

describe('AUTH', () => {
  let started: TestGateway;
  let client: DialogClient;

  beforeEach(async () => {
    started = await startTestGateway({
      gateway: {
        authenticationDelayMs: 40,
        maxAuthenticationFailures: 1_000,
        maxAuthenticationFailuresPerAccount: 1_000,
        maxAuthenticationFailuresPerClient: 1_000,
      },
    });
    client = await openSession(started.target);
  });
  afterEach(async () => {
    client.close();
    await started.close();
  });

  it('AU-1: takes as long for a wrong user name as for a wrong password', async () => {
    const { token } = started.target;
    const timesMs: Record<'user' | 'password', number[]> = { user: [], password: [] };
    // In turns, so that what else the machine does falls on both
    for (let turn = 0; turn < 15; turn += 1) {
      for (const [wrong, name, password] of [
        ['user', `nobody-${turn}`, token],
        ['password', token, `wrong-${turn}`],
      ] as const) {
        const startedAt = performance.now();
        assert.equal(await showCredentials(client, name, password), FAILED);
        timesMs[wrong].push(performance.now() - startedAt);
      }
    }
    const difference = median(timesMs.user) - median(timesMs.password);
    assert.ok(Math.abs(difference) < 4, JSON.stringify(timesMs));
  });

  for (const [what, password] of [
    ['empty', ''],
    ['one character', 'x'],
    ['longer than any token', 'x'.repeat(1_000)],
    ['an operator', '{"$gt":""}'],
  ] as const) {
    it(`AU-2: refuses a password that is ${what} like any other`, async () => {
      assert.equal(await showCredentials(client, started.target.token, password), FAILED);
    });
  }

  it('AU-2: refuses bytes that are no UTF-8, and a megabyte', async () => {
    const bytes = Buffer.concat([Buffer.from([0, 0xff, 0xfe, 0]), Buffer.from([0xff, 0xfe])]);
    await client.send(`AUTH PLAIN ${bytes.toString('base64')}\r\n`);
    assert.equal(await client.readReply(), FAILED);
    await client.send(`AUTH PLAIN ${'A'.repeat(1_000_000)}\r\n`);
    assert.equal(await client.readReply(), '500 5.5.2 Command line too long');
  });
});

function median(values: number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
