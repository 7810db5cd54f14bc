import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import { deriveKey, seal } from '../../../lib/secrets.ts';
import { testRedisUrl } from '../../support/postgres.ts';
import {
  createTestClient,
  defineLookup,
  masterKey,
  startLookupApi,
  type TestApi,
  type TestClient,
  until,
  untilCaching,
} from './support.ts';

const PEM = '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----';

describe('what stands in Redis is not trusted (RP-4)', () => {
  const redis = new Redis(testRedisUrl());
  const contracts = { open: defineLookup(), sealed: defineLookup({ sealed: true }) };
  let lease: string;
  let apis: Record<keyof typeof contracts, TestApi>;
  let clients: Record<keyof typeof contracts, TestClient>;

  before(async () => {
    const runId = /run_id:(\w+)/.exec(await redis.info('server'))?.[1];
    lease = `${runId}:test`;
    apis = {
      open: await startLookupApi(contracts.open, () => 'true value'),
      sealed: await startLookupApi(contracts.sealed, () => PEM),
    };
    clients = {
      open: createTestClient({ url: apis.open.url, redisUrl: testRedisUrl() }),
      sealed: createTestClient({ url: apis.sealed.url, redisUrl: testRedisUrl() }),
    };
    await untilCaching(clients.open, redis, contracts.open);
    await untilCaching(clients.sealed, redis, contracts.sealed);
  });
  after(async () => {
    for (const kind of ['open', 'sealed'] as const) {
      await clients[kind].close();
      await apis[kind].stop();
    }
    redis.disconnect();
  });

  const young = () => Date.now();
  const otherKey = deriveKey(randomBytes(32).toString('base64'), 'rpc-cache');
  const ownKey = deriveKey(masterKey, 'rpc-cache');
  const sealedText = (key: Buffer, context: string, value: unknown) =>
    seal(key, JSON.stringify({ fetchedAt: young(), value }), context).toString('base64');

  const openPoison: Record<string, string> = {
    'no JSON': '{"fetchedAt":',
    'other JSON': '[1,2,3]',
    null: 'null',
    'another schema': JSON.stringify({ fetchedAt: young(), value: { text: 7 } }),
    'an older form': JSON.stringify({ at: young(), data: { text: 'poison' } }),
    'a moment that is none': JSON.stringify({ fetchedAt: 'now', value: { text: 'poison' } }),
    'a megabyte of bytes': randomBytes(1_000_000).toString('latin1'),
    nothing: '',
  };
  for (const [name, poison] of Object.entries(openPoison)) {
    it(`ignores, deletes and counts ${name}`, () => expectDiscarded('open', name, poison, 'true value'));
  }

  it('ignores, deletes and counts a sealed value that was written openly', () =>
    expectDiscarded(
      'sealed',
      'open',
      JSON.stringify({ fetchedAt: young(), value: { text: 'poison' } }),
      PEM,
    ));
  it('ignores, deletes and counts a value sealed by another key', () =>
    expectDiscarded(
      'sealed',
      'foreign',
      sealedText(otherKey, keyOf('sealed', 'foreign'), { text: 'poison' }),
      PEM,
    ));
  it('ignores, deletes and counts a sealed value that was moved from another key', () =>
    expectDiscarded(
      'sealed',
      'moved',
      sealedText(ownKey, keyOf('sealed', 'other'), { text: 'poison' }),
      PEM,
    ));

  it('ignores a value from another run of Redis, and stores the true one in its place', async () => {
    const key = keyOf('open', 'run');
    await redis.hset(key, {
      lease: 'other:test',
      value: JSON.stringify({ fetchedAt: young(), value: { text: 'poison' } }),
    });
    const result = await clients.open.call(contracts.open, { params: { id: 'run' } });
    assert.ok(result.ok);
    assert.equal(result.value.text, 'true value');
    await until(async () => (await redis.hget(key, 'value'))?.includes('true value') ?? false);
  });

  for (const [type, write] of Object.entries({
    string: (key: string) => redis.set(key, 'x'),
    list: (key: string) => redis.lpush(key, 'x'),
    set: (key: string) => redis.sadd(key, 'x'),
  })) {
    it(`ignores, deletes and counts a ${type} where a hash should be`, async () => {
      const id = `type-${type}`;
      await write(keyOf('open', id));
      await expectTrueValue('open', id, 'true value');
      await until(async () => (await redis.type(keyOf('open', id))) !== type);
      // Redis itself is well: the next look-up is cached again.
      await expectTrueValue('open', `${id}-next`, 'true value');
      await until(async () => (await redis.hexists(keyOf('open', `${id}-next`), 'value')) === 1);
    });
  }

  it('believes a value that this key sealed for this place', async () => {
    const key = keyOf('sealed', 'own');
    await redis.hset(key, { lease, value: sealedText(ownKey, key, { text: 'cached' }) });
    const result = await clients.sealed.call(contracts.sealed, { params: { id: 'own' } });
    assert.ok(result.ok);
    assert.equal(result.value.text, 'cached');
  });

  it('lets nobody read a private key in Redis', async () => {
    const id = 'private';
    await expectTrueValue('sealed', id, PEM);
    await until(async () => (await redis.hexists(keyOf('sealed', id), 'value')) === 1);
    const dump = Buffer.concat([
      ...(await redis.hvalsBuffer(keyOf('sealed', id))),
      Buffer.from((await redis.hget(keyOf('sealed', id), 'value')) ?? '', 'base64'),
    ]).toString('latin1');
    assert.doesNotMatch(dump, /PRIVATE|MIIEvQ|fetchedAt/);
    assert.ok(dump.length > PEM.length);
  });

  function keyOf(kind: keyof typeof contracts, id: string): string {
    return cacheKey(contracts[kind], { id });
  }

  async function expectDiscarded(kind: keyof typeof contracts, id: string, poison: string, truth: string) {
    await redis.hset(keyOf(kind, id), { lease, value: poison });
    await expectTrueValue(kind, id, truth);
    await until(async () => (await redis.hget(keyOf(kind, id), 'value')) !== poison);
  }

  async function expectTrueValue(kind: keyof typeof contracts, id: string, truth: string) {
    const countBad = () => clients[kind].count('errors', { kind: 'bad_value' });
    const isPoisoned = (await redis.exists(keyOf(kind, id))) === 1;
    const before = await countBad();
    const result = await clients[kind].call(contracts[kind], { params: { id } });
    assert.ok(result.ok);
    assert.equal(result.value.text, truth);
    assert.equal(await countBad(), before + (isPoisoned ? 1 : 0));
  }
});
