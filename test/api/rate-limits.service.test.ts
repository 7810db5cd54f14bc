import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { createRateLimiter } from '../../api/rate-limiter.ts';
import { testRedisUrl } from '../support/postgres.ts';
import {
  countRows,
  log,
  sendRequest,
  startTestApi,
  submissionRequest,
  type Tenant,
  type TestApi,
} from './support.ts';

const TOO_FAST = { error: 'You are sending emails too quickly' };

describe('rate limits', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('ratelimits', {
      redis: { url: testRedisUrl() },
      limits: { tokenMessagesPerMinute: 3, organizationMessagesPerMinute: 5, addressFailuresPerMinute: 4 },
      api: { trustedProxies: ['127.0.0.1'] },
    });
    // Ids begin at 1 in each database, and Redis is one for all.
    const first = Math.floor(Math.random() * 1e12);
    for (const table of ['organizations', 'api_tokens']) {
      await api.store.pool.query(`alter table ${table} alter column id restart with ${first}`);
    }
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
  });
  after(() => api.close());

  const send = (of = tenant) => api.app.inject(sendRequest(of));

  async function submit(of = tenant) {
    const message = `From: a@${of.domain}\r\n\r\nx\r\n`;
    const response = await api.app.inject(submissionRequest(api, of, message));
    return { status: response.statusCode, error: response.json().error };
  }

  it('RS-5 says how much is left, then 429 with Retry-After, and takes nothing', async () => {
    for (const left of ['2', '1', '0']) {
      const { statusCode, headers } = await send();
      assert.deepEqual(
        [statusCode, headers['ratelimit-limit'], headers['ratelimit-remaining'], headers['retry-after']],
        [200, '3', left, undefined],
      );
    }
    const before = await countRows(api, 'messages');
    const response = await send();

    assert.deepEqual([response.statusCode, response.json()], [429, TOO_FAST]);
    const seconds = Number(response.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 60, `Retry-After: ${seconds}`);
    assert.equal(response.headers['ratelimit-reset'], response.headers['retry-after']);
    assert.equal(await countRows(api, 'messages'), before);
  });

  it('RS-5 counts SMTP with it: the submission is refused, for the gateway to answer 451 4.7.1', async () => {
    for (let number = 0; number < 3; number++) assert.equal((await submit()).status, 200);
    const { status, error } = await submit();
    assert.deepEqual([status, error.code], [422, 'rate_limited']);
    assert.match(error.message, /^You are sending emails too quickly, try again in \d+ seconds$/);
    assert.equal((await send()).statusCode, 429);
  });

  it('limits the organization over all of its tokens, by its own limit where it has one', async () => {
    const other = { ...(await api.createTenant()), organizationId: tenant.organizationId };
    await api.store.pool.query('update domains set organization_id = $1 where id = $2', [
      tenant.organizationId,
      other.domainId,
    ]);
    for (let number = 0; number < 3; number++) assert.equal((await send()).statusCode, 200);
    for (let number = 0; number < 2; number++) assert.equal((await send(other)).statusCode, 200);
    assert.equal((await send(other)).statusCode, 429);

    await api.store.pool.query('update organizations set messages_per_minute = 100 where id = $1', [
      tenant.organizationId,
    ]);
    assert.equal((await send(other)).statusCode, 429); // its token's limit
  });

  for (const [what, request, status] of [
    ['AP-7 unknown routes', { url: '/api/v1/nothing' }, 404],
    ['missing tokens', { url: '/api/v1/messages' }, 401],
    ['unknown tokens', { url: '/api/v1/messages', headers: { 'mailpace-server-token': 'x' } }, 400],
    [
      'unknown organization tokens',
      { url: '/api/v1/domains', headers: { 'mailpace-organization-token': 'x' } },
      401,
    ],
    ['wrong service tokens', { url: '/rpc/v1/credentials/x', headers: { authorization: 'Bearer x' } }, 401],
  ] as const) {
    it(`limits ${what} by address, and leaves good tokens from there alone`, async () => {
      const address = `2001:db8::${randomUUID().slice(0, 4)}:${randomUUID().slice(0, 4)}`;
      const from = (headers: object) => ({ ...headers, 'x-forwarded-for': address });
      const ask = () =>
        api.app.inject({ ...request, headers: from('headers' in request ? request.headers : {}) });
      for (let number = 0; number < 4; number++) assert.equal((await ask()).statusCode, status);

      const response = await ask();
      assert.deepEqual(
        [response.statusCode, response.json()],
        [429, { error: 'Too many failed requests from your address' }],
      );
      assert.ok(Number(response.headers['retry-after']) >= 1);
      assert.equal((await api.app.inject(sendRequest(tenant, {}, from({})))).statusCode, 200);
    });
  }

  it('AP-4 believes X-Forwarded-For of a trusted proxy alone', async () => {
    const ask = (remoteAddress: string) =>
      api.app.inject({
        url: '/api/v1/nothing',
        remoteAddress,
        headers: { 'x-forwarded-for': randomUUID() },
      });
    const remoteAddress = `192.0.2.${Math.ceil(Math.random() * 250)}`;
    for (let number = 0; number < 4; number++) await ask(remoteAddress);
    assert.equal((await ask(remoteAddress)).statusCode, 429);
    for (let number = 0; number < 5; number++) assert.equal((await ask('127.0.0.1')).statusCode, 404);
  });

  it('gives what a refused batch took back to smaller ones', async () => {
    const key = randomUUID();
    assert.equal((await api.limiter.consume(key, 10, 8)).isAllowed, true);
    assert.equal((await api.limiter.consume(key, 10, 8)).isAllowed, false);
    const verdict = await api.limiter.consume(key, 10, 2);
    assert.deepEqual([verdict.isAllowed, verdict.remaining], [true, 0]);
  });
});

describe('the rate limiter without Redis (RP-3)', () => {
  const measure = async <T>(work: () => Promise<T>) => {
    const startedAt = performance.now();
    return { result: await work(), ms: performance.now() - startedAt };
  };

  it('counts by itself when Redis is down', async () => {
    const limiter = createRateLimiter({ redisUrl: 'redis://127.0.0.1:1/0', log });
    const key = randomUUID();
    for (const isAllowed of [true, true, false]) {
      const { result, ms } = await measure(() => limiter.consume(key, 2));
      assert.equal(result.isAllowed, isAllowed);
      assert.ok(ms < 100);
    }
    limiter.close();
  });

  it('waits for a Redis that hangs once, for a tenth of a second, and then leaves it alone', async () => {
    let isHanging = false;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // Enough of Redis for a client to be ready: it takes "+OK" for an answer to anything.
      socket.on('data', () => !isHanging && socket.write('+OK\r\n'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address && typeof address === 'object');
    const limiter = createRateLimiter({ redisUrl: `redis://127.0.0.1:${address.port}/0`, log });
    await new Promise((resolve) => setTimeout(resolve, 300));
    isHanging = true;

    const first = await measure(() => limiter.consume('a', 1));
    const second = await measure(() => limiter.consume('a', 1));
    assert.ok(first.ms < 250 && second.ms < 50, `${first.ms} ms, ${second.ms} ms`);
    assert.deepEqual([first.result.isAllowed, second.result.isAllowed], [true, false]);
    limiter.close();
    await new Promise((resolve) => server.close(resolve));
  });
});
