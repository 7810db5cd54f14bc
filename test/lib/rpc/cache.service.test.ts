import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import type { CachePolicy } from '../../../lib/rpc/contracts/contract.ts';
import { testRedisUrl } from '../../support/postgres.ts';
import {
  createTestClient,
  defineLookup,
  startLookupApi,
  type TestApi,
  type TestClient,
  type TestLookup,
  until,
  untilCaching,
} from './support.ts';

describe('cached look-ups (RP-1)', () => {
  const redis = new Redis(testRedisUrl());
  const opened: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
  });
  after(() => redis.disconnect());

  interface World {
    contract: TestLookup;
    api: TestApi;
    client: TestClient;
    /** What the api answers; null: there is none. */
    row: { text: string | null };
    /** A second process's view: memory of its own, the same Redis. */
    createNeighbour(): Promise<TestClient>;
    find(client?: TestClient): Promise<string>;
  }

  async function createWorld(policy: Partial<CachePolicy> = {}): Promise<World> {
    const contract = defineLookup(policy);
    const row: { text: string | null } = { text: 'first' };
    const api = await startLookupApi(contract, () => row.text);
    const createReady = async () => {
      const client = createTestClient({ url: api.url, redisUrl: testRedisUrl() });
      opened.push(client);
      await untilCaching(client, redis, contract);
      return client;
    };
    const client = await createReady();
    opened.push({ close: () => api.stop() });
    api.requests = 0;
    const find = async (asked = client) => {
      const result = await asked.call(contract, { params: { id: 'a' } });
      return result.ok ? result.value.text : result.reason;
    };
    const createNeighbour = async () => {
      const neighbour = await createReady();
      api.requests = 0;
      return neighbour;
    };
    return { contract, api, client, row, createNeighbour, find };
  }

  it('asks the api once and then answers from memory', async () => {
    const { api, client, contract, find } = await createWorld();
    assert.equal(await find(), 'first');
    assert.equal(await find(), 'first');
    assert.equal(api.requests, 1);
    assert.equal(await client.count('lookups', { contract: contract.name, outcome: 'memory' }), 1);
  });

  it('answers from Redis in a process that never asked', async () => {
    const { api, contract, createNeighbour, find } = await createWorld();
    const neighbour = await createNeighbour();
    await find();
    await untilStored(contract);
    assert.equal(await find(neighbour), 'first');
    assert.equal(api.requests, 1);
    assert.equal(await neighbour.count('lookups', { contract: contract.name, outcome: 'redis' }), 1);
  });

  it('serves a stale value at once and refreshes it behind', async () => {
    const { api, find, row } = await createWorld({ freshMs: 50 });
    await find();
    row.text = 'second';
    await sleep(60);
    assert.equal(await find(), 'first');
    await until(() => api.requests === 2);
    await until(async () => (await find()) === 'second');
  });

  it('does not serve a value past its stale limit', async () => {
    const { api, find } = await createWorld({ freshMs: 20, staleMs: 100 });
    await find();
    await api.stop();
    await sleep(120);
    assert.equal(await find(), 'unavailable');
  });

  it('serves a stale value while the api is down, also to a process that has only Redis', async () => {
    const { api, contract, createNeighbour, find } = await createWorld({ freshMs: 20 });
    const neighbour = await createNeighbour();
    await find();
    await untilStored(contract);
    await api.stop();
    await sleep(40);
    assert.equal(await find(), 'first');
    assert.equal(await find(neighbour), 'first');
    assert.equal(await find(neighbour), 'first');
  });

  it('is unavailable with the api down and nothing cached', async () => {
    const { api, find } = await createWorld();
    await api.stop();
    assert.equal(await find(), 'unavailable');
  });

  it('remembers for negativeMs that there is none, and no longer', async () => {
    const { api, find, row } = await createWorld({ negativeMs: 150 });
    row.text = null;
    assert.equal(await find(), 'not_found');
    row.text = 'made';
    assert.equal(await find(), 'not_found');
    assert.equal(api.requests, 1);
    await sleep(160);
    assert.equal(await find(), 'made');
  });

  it('does not go on serving "there is none" while the api is down', async () => {
    const { api, find, row } = await createWorld({ negativeMs: 50 });
    row.text = null;
    await find();
    await api.stop();
    await sleep(60);
    assert.equal(await find(), 'unavailable');
  });

  it('lets "there is none" replace a stale value', async () => {
    const { find, row } = await createWorld({ freshMs: 20 });
    await find();
    row.text = null;
    await sleep(30);
    await until(async () => (await find()) === 'not_found');
  });

  it('costs one request when 200 ask for one key at the same time', async () => {
    const { api, find } = await createWorld();
    const answers = await Promise.all(Array.from({ length: 200 }, () => find()));
    assert.deepEqual(new Set(answers), new Set(['first']));
    assert.equal(api.requests, 1);
  });

  it('costs one request when 200 ask for one stale key at the same time', async () => {
    const { api, find } = await createWorld({ freshMs: 100 });
    await find();
    await sleep(110);
    await Promise.all(Array.from({ length: 200 }, () => find()));
    await sleep(50);
    assert.equal(api.requests, 2);
  });

  it('keeps what different params get apart, and hashes them (RP-2)', async () => {
    const contract = defineLookup();
    const api = await startLookupApi(contract, (id) => `for ${id.slice(0, 20)}`);
    const client = createTestClient({ url: api.url, redisUrl: testRedisUrl() });
    opened.push(client, { close: () => api.stop() });
    await untilCaching(client, redis, contract);
    for (const id of ['a', 'b', 'a\r\nDEL x', 'ä/?#%00', '雪'.repeat(30)]) {
      const first = await client.call(contract, { params: { id } });
      const second = await client.call(contract, { params: { id } });
      assert.ok(first.ok && second.ok, id);
      assert.equal(first.value.text, `for ${id.slice(0, 20)}`);
      assert.deepEqual(second.value, first.value);
      assert.match(cacheKey(contract, { id }), /^postern:rpc:1:testFind_[0-9a-f]{12}:[0-9a-f]{64}$/);
    }
  });

  it('hands out one frozen value, so that no caller can change what others get', async () => {
    const { client, contract } = await createWorld();
    const result = await client.call(contract, { params: { id: 'a' } });
    assert.ok(result.ok);
    assert.throws(() => Object.assign(result.value, { text: 'changed' }), TypeError);
  });

  async function untilStored(contract: TestLookup): Promise<void> {
    await until(async () => (await redis.hexists(cacheKey(contract, { id: 'a' }), 'value')) === 1);
  }
});
