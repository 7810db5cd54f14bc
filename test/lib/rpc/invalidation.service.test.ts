import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import { createInvalidator, type Invalidator } from '../../../lib/rpc/invalidation.ts';
import { testRedisUrl } from '../../support/postgres.ts';
import type { OtherAnswer } from './other-process.ts';
import {
  createTestClient,
  defineLookup,
  masterKey,
  serviceToken,
  silent,
  startLookupApi,
  type TestApi,
  type TestClient,
  type TestLookup,
  until,
  untilCaching,
} from './support.ts';

describe('invalidation', () => {
  const redis = new Redis(testRedisUrl());
  let contract: TestLookup;
  let api: TestApi;
  let client: TestClient;
  let invalidator: Invalidator;
  let row: string | null;
  /** While set, the api reads the row and holds the answer back: a fetch in flight. */
  let held: Promise<void> | undefined;

  beforeEach(async () => {
    contract = defineLookup({ freshMs: 60_000 });
    row = 'first';
    held = undefined;
    api = await startLookupApi(contract, async () => {
      const read = row;
      await held;
      return read;
    });
    client = createTestClient({ url: api.url, redisUrl: testRedisUrl() });
    invalidator = createInvalidator({ redisUrl: testRedisUrl(), log: silent });
    await untilCaching(client, redis, contract);
    api.requests = 0;
  });
  afterEach(async () => {
    await invalidator.close();
    await client.close();
    await api.stop();
  });
  after(() => redis.disconnect());

  const find = async () => {
    const result = await client.call(contract, { params: { id: 'a' } });
    return result.ok ? result.value.text : result.reason;
  };
  const invalidate = () => invalidator.invalidate(contract, { id: 'a' });
  const readStored = () => redis.hget(cacheKey(contract, { id: 'a' }), 'value');

  it('takes a value out of Redis and out of memory', async () => {
    await find();
    row = 'second';
    await invalidate();
    assert.equal(await readStored(), null);
    await until(async () => (await find()) === 'second', 1_000);
  });

  it('is seen within one second in another process', async () => {
    const other = await startOtherProcess();
    assert.equal((await ask(other)).text, 'first');
    row = 'second';
    assert.equal((await ask(other)).text, 'first');
    const changedAt = performance.now();
    await invalidate();
    await until(async () => (await ask(other)).text === 'second', 1_000);
    assert.ok(performance.now() - changedAt < 1_000);
    other.disconnect();
    await once(other, 'exit');
  });

  it('makes a revoked value unavailable while the api is down: it does not come back as a stale one', async () => {
    await find();
    await invalidate();
    await api.stop();
    await until(async () => (await find()) === 'unavailable', 1_000);
    assert.equal(await find(), 'unavailable');
  });

  it('wins over a fetch that read the row before the change', async () => {
    const release = hold();
    const asked = find();
    await until(() => api.requests === 1);
    row = 'second';
    await invalidate();
    release();
    assert.equal(await asked, 'second');
    assert.equal(await find(), 'second');
    await until(async () => (await readStored())?.includes('second') === true);
  });

  it('is not undone by the late fetch of a process that did not hear of it', async () => {
    const release = hold();
    const asked = find();
    await until(() => api.requests === 1);
    row = 'second';
    await redis.del(cacheKey(contract, { id: 'a' })); // as invalidation does, without its message
    const neighbour = createTestClient({ url: api.url, redisUrl: testRedisUrl() });
    held = undefined;
    await untilCaching(neighbour, redis, contract);
    await neighbour.call(contract, { params: { id: 'a' } });
    await until(async () => (await readStored())?.includes('second') === true);
    release();
    await asked;
    await untilCaching(client, redis, contract); // a round trip behind the refused write
    assert.match((await readStored()) ?? '', /second/);
    await neighbour.close();
  });

  it('is not joined to a flight from before it', async () => {
    const release = hold();
    const early = find();
    await until(() => api.requests === 1);
    row = null;
    await invalidate();
    await sleep(50); // the message is on its way
    held = undefined;
    assert.equal(await find(), 'not_found');
    release();
    assert.equal(await early, 'not_found');
  });

  it('does not make a look-up that failed ask again', async () => {
    const release = hold();
    const asked = find();
    await until(() => api.requests === 1);
    await invalidate();
    await api.stop();
    release();
    assert.equal(await asked, 'unavailable');
  });

  it('of a row that never rests ends: the look-up answers after a few restarts', async () => {
    held = sleep(30);
    const timer = setInterval(() => {
      held = sleep(30);
      void invalidate();
    }, 10);
    assert.equal(await find(), 'first');
    clearInterval(timer);
    assert.ok(api.requests <= 4);
  });

  function hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    held = promise;
    return () => {
      held = undefined;
      resolve();
    };
  }

  async function startOtherProcess(): Promise<ChildProcess> {
    const options = { url: api.url, redisUrl: testRedisUrl(), serviceToken, masterKey };
    const child = fork(new URL('other-process.ts', import.meta.url), [
      JSON.stringify(options),
      contract.name,
    ]);
    await once(child, 'message');
    await until(async () => (await ask(child)).isSubscribed);
    return child;
  }

  async function ask(child: ChildProcess): Promise<OtherAnswer> {
    child.send({ id: 'a' });
    const [answer] = await once(child, 'message');
    return answer as OtherAnswer;
  }
});
