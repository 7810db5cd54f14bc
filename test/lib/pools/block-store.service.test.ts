import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../../lib/log.ts';
import { type BlockStore, createBlockStore } from '../../../lib/pools/block-store.ts';
import { findFreePorts } from '../../support/free-ports.ts';
import { waitFor } from '../../support/mail.ts';

const ADDRESS = '192.0.2.1';
const SITE = 'a.test';

describe('blocks of addresses, and a Redis that goes and comes', () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-blocks-'));
  let port = 0;
  let redis: ChildProcess | undefined;
  let store: BlockStore;
  let now = 1_000_000;

  before(async () => {
    [port = 0] = await findFreePorts(1);
  });
  after(async () => {
    await stopRedis();
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await startRedis();
    store = openStore();
    now += 1_000_000;
  });
  afterEach(() => store.close());

  /** As the one of bin/up (ecosystem.config.cjs), but for `appendfsync`: nothing is waited for here. */
  async function startRedis(): Promise<void> {
    if (redis) return;
    const options = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--dir', directory];
    redis = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', ...options], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const chunk of redis.stdout ?? []) if (String(chunk).includes('Ready to accept')) return;
  }

  async function stopRedis(): Promise<void> {
    if (!redis) return;
    redis.kill('SIGKILL');
    await once(redis, 'exit');
    redis = undefined;
  }

  const openStore = () =>
    createBlockStore({
      redisUrl: `redis://127.0.0.1:${port}/0`,
      terms: { blockSeconds: 10, maxBlockSeconds: 100 },
      log: createLogger('test', { level: 'silent' }),
      now: () => now,
    });
  const blocked = async (from: BlockStore, site = SITE) => [...(await from.blocksOf(site)).keys()];

  it('outlive a restart of everything, end, and are longer the next time', async () => {
    await store.block(ADDRESS, SITE, '550 5.7.1 blocked');
    store.close();
    await stopRedis();
    await startRedis();
    store = openStore();

    assert.deepEqual(await blocked(store), [ADDRESS]);
    assert.deepEqual(await blocked(store, 'b.test'), []);
    assert.equal((await store.listBlocks()).length, 1);
    now += 10_000;
    assert.deepEqual([await blocked(store), await store.listBlocks()], [[], []]);
    const { strikes, endsAt } = await store.block(ADDRESS, SITE, '550 5.7.1 blocked');
    assert.deepEqual([strikes, endsAt - now], [2, 20_000]);
  });

  it('are seen by other instances at once', async () => {
    const other = openStore();
    await other.blocksOf(SITE);
    await store.block(ADDRESS, SITE, '550 5.7.1 blocked');
    assert.deepEqual(await blocked(other), [ADDRESS]);
    await other.liftBlock(ADDRESS, SITE);
    assert.deepEqual(await blocked(store), []);
    other.close();
  });

  it('hold in the process while Redis is down, and are written when it is back', async () => {
    await store.block(ADDRESS, SITE, '550 5.7.1 blocked');
    await stopRedis();
    assert.deepEqual(await blocked(store), [ADDRESS]);
    await store.block('192.0.2.2', SITE, '550 5.7.1 blocked');
    assert.deepEqual((await blocked(store)).toSorted(), [ADDRESS, '192.0.2.2']);
    await assert.rejects(store.listBlocks());

    await startRedis();
    const other = openStore();
    await waitFor('the block of the time without Redis', async () => {
      await store.blocksOf(SITE);
      return (await blocked(other)).includes('192.0.2.2') || undefined;
    });
    other.close();
  });
});
