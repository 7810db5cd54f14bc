import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import { createInvalidator } from '../../../lib/rpc/invalidation.ts';
import { type OwnRedis, startOwnRedis } from '../../support/own-redis.ts';
import {
  createTestClient,
  defineLookup,
  silent,
  startLookupApi,
  type TestApi,
  type TestClient,
  until,
  untilCaching,
} from './support.ts';

describe('Redis out of reach (RP-3)', () => {
  const contract = defineLookup({ freshMs: 60_000 });
  let server: OwnRedis;
  let redis: Redis;
  let api: TestApi;
  let client: TestClient;
  let row = 'first';

  beforeEach(async () => {
    server = await startOwnRedis();
    redis = new Redis(server.url);
    redis.on('error', () => {});
    row = 'first';
    api = await startLookupApi(contract, () => row);
    client = createTestClient({ url: api.url, redisUrl: server.url });
    await untilCaching(client, redis, contract);
    api.requests = 0;
  });
  afterEach(async () => {
    await client.close();
    await api.stop();
    redis.disconnect();
    await server.stop();
  });

  const find = async (id = 'a') => {
    const result = await client.call(contract, { params: { id } });
    return result.ok ? result.value.text : result.reason;
  };
  const measure = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    return performance.now() - startedAt;
  };
  it('goes straight to the api when Redis is down', async () => {
    await server.kill();
    assert.ok((await measure(() => find())) < 90);
    assert.equal(await find('b'), 'first');
  });

  it('starts and answers without a Redis', async () => {
    await server.kill();
    const late = createTestClient({ url: api.url, redisUrl: server.url });
    assert.ok((await measure(() => late.call(contract, { params: { id: 'a' } }))) < 150);
    await late.close();
  });

  it('waits a tenth of a second for a Redis that hangs, then leaves it alone for a while', async () => {
    server.signal('SIGSTOP');
    const first = await measure(async () => assert.equal(await find('a'), 'first'));
    assert.ok(first >= 90 && first < 250, `${first} ms`);
    const next = await measure(async () => assert.equal(await find('b'), 'first'));
    assert.ok(next < 90, `${next} ms`);
    assert.equal(await client.count('errors', { kind: 'redis' }), 1);
  });

  it('asks the api once for 200 at the same time, also without Redis', async () => {
    await server.kill();
    await until(() => client.hasLogged('rpc.subscription_lost'));
    await Promise.all(Array.from({ length: 200 }, () => find()));
    assert.equal(api.requests, 1);
  });

  it('sees a change within one second without anybody telling it', async () => {
    await server.kill();
    await until(() => client.hasLogged('rpc.subscription_lost'));
    await find();
    row = 'second';
    await until(async () => (await find()) === 'second', 1_000);
  });

  it('uses Redis again when it answers again', async () => {
    server.signal('SIGSTOP');
    await find();
    server.signal('SIGCONT');
    await untilCaching(client, redis, contract);
  });

  it('does not believe its memory from before the connection was lost', async () => {
    await find();
    row = 'second';
    await redis.client('KILL', 'TYPE', 'pubsub');
    await redis.flushall(); // an invalidation that the client could not hear
    await until(() => client.hasLogged('rpc.subscription_lost'));
    assert.equal(await find(), 'second');
  });

  it('says within a second that Redis has not heard of an invalidation', async () => {
    const invalidator = createInvalidator({ redisUrl: server.url, log: silent });
    server.signal('SIGSTOP');
    const elapsed = await measure(() => assert.rejects(invalidator.invalidate(contract, { id: 'a' })));
    assert.ok(elapsed < 1_200, `${elapsed} ms`);
    server.signal('SIGCONT');
    await invalidator.close();
  });

  it('repeats an invalidation until a Redis that came back with the old value has it', async () => {
    const invalidator = createInvalidator({ redisUrl: server.url, log: silent });
    const key = cacheKey(contract, { id: 'a' });
    await find();
    await until(async () => (await redis.hexists(key, 'value')) === 1);
    await redis.save();
    await server.kill();
    await assert.rejects(invalidator.invalidate(contract, { id: 'a' }));
    await server.restart();
    await until(async () => (await redis.exists(key)) === 0);
    await invalidator.close();
  });

  it('does not believe a Redis that came back with a value from before a change', async () => {
    const key = cacheKey(contract, { id: 'a' });
    await find();
    await until(async () => (await redis.hexists(key, 'value')) === 1);
    await redis.save();
    row = 'second';
    await redis.del(key);
    await server.kill();
    await server.restart();
    await untilCaching(client, redis, contract);
    assert.match((await redis.hget(key, 'value')) ?? '', /first/);
    assert.equal(await find(), 'second');
  });

  it('is unavailable when neither Redis nor the api answers', async () => {
    await find();
    await server.kill();
    await api.stop();
    await until(async () => (await find()) === 'unavailable');
  });
});
