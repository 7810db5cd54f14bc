/**
 * Cached values in Redis. One hash a key, with two fields: `value`, and the `lease` under which it may be written.
 *
 * A look-up that finds no lease makes one; a fetched value is stored only while the lease of its look-up still stands.
 * Invalidation deletes the hash, lease included: a fetch that began before it can no longer write the old value back.
 * Eviction and FLUSHALL have the same effect, which is always the safe one. A lease names the run of the Redis server
 * that it was made on: a server that restarts from a snapshot, or a replica that takes over, may hold values that were
 * deleted since, and is not believed.
 *
 * Redis is an accelerator. Every failure here means "nothing cached": no call waits for it longer than a tenth of a
 * second, and after a failure it is left alone for a second. What stands in it is not trusted (RP-4).
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { decodeEntry, type Entry, encodeEntry } from './cached-value.ts';
import type { Contract } from './contracts/contract.ts';
import type { RpcMetrics } from './metrics.ts';
import { redisOptions } from './redis-options.ts';

const DEADLINE_MS = 100;
const PAUSE_MS = 1_000;
/** Longer than any fetch takes. */
const LEASE_MS = 30_000;
/** "For ever" in a cache; PEXPIRE wants a number. */
const LONGEST_LIFE_MS = 365 * 86_400_000;

export interface Reading {
  entry?: Entry | undefined;
  lease?: string | undefined;
}

export interface RedisStore {
  /** True while commands are sent to it. */
  isAvailable(): boolean;
  read(contract: Contract, key: string): Promise<Reading>;
  write(contract: Contract, key: string, entry: Entry, lease: string): Promise<void>;
  close(): void;
}

export interface StoreOptions {
  redisUrl: string;
  sealKey: Buffer;
  log: Logger;
  metrics: RpcMetrics;
  /** Redis did not answer, so it may not deliver invalidations either. */
  onFailed: () => void;
}

/** What another run of the server left is replaced at once: the next value is to be stored, not the one after it. */
const READ = `
  local found = redis.call('hmget', KEYS[1], 'lease', 'value')
  local lease, value = found[1], found[2]
  if not lease or string.sub(lease, 1, #ARGV[3]) ~= ARGV[3] then
    redis.call('del', KEYS[1])
    lease, value = ARGV[3] .. ARGV[1], false
    redis.call('hset', KEYS[1], 'lease', lease)
  end
  if not value then redis.call('pexpire', KEYS[1], ARGV[2]) end
  return { lease, value }`;

const WRITE = `
  if redis.call('hget', KEYS[1], 'lease') ~= ARGV[1] then return 0 end
  redis.call('hset', KEYS[1], 'value', ARGV[2])
  redis.call('pexpire', KEYS[1], ARGV[3])
  return 1`;

export function createRedisStore({ redisUrl, sealKey, log, metrics, onFailed }: StoreOptions): RedisStore {
  const redis = new Redis(redisUrl, redisOptions);
  let pausedUntil = 0;
  let runId: string | undefined;
  let isClosing = false;

  redis.on('error', () => {}); // every failed command is counted, and the first of a second logged
  redis.on('close', () => {
    runId = undefined;
  });
  redis.on('ready', () => {
    readRunId(redis).then(
      (id) => {
        runId = id;
      },
      (error: unknown) => {
        if (isClosing) return;
        log.warn({ err: error }, 'rpc.redis_failed');
        redis.disconnect(true); // tries again
      },
    );
  });

  const isAvailable = () => runId !== undefined && performance.now() >= pausedUntil;

  async function attempt<T>(command: () => Promise<T>): Promise<T | undefined> {
    if (!isAvailable()) return undefined;
    try {
      return await withinDeadline(command());
    } catch (error) {
      metrics.errors.inc({ kind: 'redis' });
      if (isAvailable()) log.warn({ err: error }, 'rpc.redis_failed');
      pausedUntil = performance.now() + PAUSE_MS;
      onFailed();
      return undefined;
    }
  }

  function discard(key: string): Reading {
    metrics.errors.inc({ kind: 'bad_value' });
    log.warn({ key }, 'rpc.bad_value_discarded');
    void attempt(() => redis.del(key)); // the caller has waited for Redis once
    return {};
  }

  return {
    isAvailable,
    async read(contract, key) {
      const found = await attempt(() =>
        redis.eval(READ, 1, key, randomUUID(), LEASE_MS, `${runId}:`).catch((error: Error) => {
          if (error.message.includes('WRONGTYPE')) return 'wrong type' as const;
          throw error;
        }),
      );
      if (found === undefined) return {};
      if (!Array.isArray(found)) return discard(key);
      const [lease, text] = found;
      if (typeof lease !== 'string') return discard(key);
      if (text === null || text === undefined) return { lease };
      const entry = decodeEntry(contract, key, text, sealKey);
      return entry ? { lease, entry } : discard(key);
    },
    async write(contract, key, entry, lease) {
      const lifeMs = lifeOf(contract, entry);
      await attempt(() =>
        redis.eval(WRITE, 1, key, lease, encodeEntry(contract, key, entry, sealKey), lifeMs),
      );
    },
    close() {
      isClosing = true;
      redis.disconnect();
    },
  };
}

async function readRunId(redis: Redis): Promise<string> {
  const id = /^run_id:(\w+)/m.exec(await redis.info('server'))?.[1];
  if (!id) throw new Error('Redis does not tell its run_id');
  return id;
}

/**
 * ioredis has a timeout of its own, but a timer that fires late because this process was busy says nothing about Redis:
 * here what has arrived meanwhile is read first.
 */
function withinDeadline<T>(reply: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${DEADLINE_MS} ms`));
    const timer = setTimeout(() => setImmediate(giveUp), DEADLINE_MS);
    reply.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The lease outlives a short-lived value: a slow fetch from before it must still find that it has lost. */
function lifeOf({ cache }: Contract, entry: Entry): number {
  if (!cache) return 0;
  const lifeMs = entry.value === undefined ? cache.negativeMs : cache.staleMs;
  return Math.min(Math.max(lifeMs, LEASE_MS), LONGEST_LIFE_MS);
}
