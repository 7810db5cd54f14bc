/**
 * What mta processes remember together about the TLS of domains: in Redis, and in the process while Redis is down. No
 * call waits for Redis longer than a tenth of a second.
 */
import { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import { redisOptions } from '../rpc/redis-options.ts';

const DEADLINE_MS = 100;
const MAX_REMEMBERED = 10_000;

export interface TlsMemory {
  /** Undefined: nothing is known, or it is over its age. */
  get(key: string): Promise<string | undefined>;
  /** @param seconds how long it is remembered */
  set(key: string, value: string, seconds: number): Promise<void>;
  /** Adds one to a field of a hash; what Redis could not be told is added when it is back. */
  count(key: string, field: string, seconds: number): Promise<void>;
  close(): void;
}

interface Untold {
  key: string;
  field: string;
  seconds: number;
  number: number;
}

/** @param onError what Redis says when it fails; the memory goes on */
export function openTlsMemory(redisUrl: string, onError: (error: Error) => void): TlsMemory {
  const redis = new Redis(redisUrl, { ...redisOptions, commandTimeout: DEADLINE_MS });
  redis.on('error', onError);
  const own = new LRUCache<string, string>({ max: MAX_REMEMBERED, ttlAutopurge: false });
  const untold = new LRUCache<string, Untold>({ max: MAX_REMEMBERED });
  async function add(key: string, field: string, seconds: number, number = 1): Promise<void> {
    try {
      await redis.multi().hincrby(key, field, number).expire(key, seconds).exec();
    } catch {
      const told = JSON.stringify([key, field]);
      untold.set(told, { key, field, seconds, number: number + (untold.get(told)?.number ?? 0) });
    }
  }
  redis.on('ready', () => {
    const late = [...untold.values()];
    untold.clear();
    for (const { key, field, seconds, number } of late) void add(key, field, seconds, number);
  });
  return {
    async get(key) {
      try {
        return (await redis.get(key)) ?? own.get(key);
      } catch {
        return own.get(key); // the error was told to onError
      }
    },
    async set(key, value, seconds) {
      own.set(key, value, { ttl: seconds * 1_000 });
      try {
        await redis.set(key, value, 'EX', seconds);
      } catch {
        // this process remembers it
      }
    },
    count: add,
    close: () => redis.disconnect(),
  };
}
