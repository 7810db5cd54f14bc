/**
 * Counts what happens under a key in windows of a minute, over Redis, so that all processes count together.
 *
 * Redis is no condition: a count that does not come within a tenth of a second is made in this process alone, and Redis
 * is left alone for a second. Then each process allows the whole of a limit, which is more than none at all.
 */
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Logger } from '../lib/log.ts';
import { redisOptions } from '../lib/rpc/redis-options.ts';

const WINDOW_SECONDS = 60;
const DEADLINE_MS = 100;
const PAUSE_MS = 1_000;
/** The library judges by one limit for all keys; ours differ, and are judged here. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

export interface Verdict {
  isAllowed: boolean;
  limit: number;
  /** Of this window, after this. */
  remaining: number;
  /** Until the next window. */
  resetSeconds: number;
}

export interface RateLimiter {
  /** Counts `points` under the key, if they fit into the limit. Never throws. */
  consume(key: string, limit: number, points?: number): Promise<Verdict>;
  close(): void;
}

export function createRateLimiter({ redisUrl, log }: { redisUrl: string; log: Logger }): RateLimiter {
  const client = new Redis(redisUrl, {
    ...redisOptions,
    commandTimeout: DEADLINE_MS,
    enableAutoPipelining: true,
  });
  client.on('error', () => {}); // a failed count is logged
  const options = { points: UNLIMITED, duration: WINDOW_SECONDS, keyPrefix: 'postern:rate' };
  const shared = new RateLimiterRedis({ ...options, storeClient: client });
  const own = new RateLimiterMemory(options);
  let pausedUntil = 0;

  async function count(key: string, points: number): Promise<RateLimiterRes> {
    if (client.status !== 'ready' || performance.now() < pausedUntil) return own.consume(key, points);
    try {
      return await shared.consume(key, points);
    } catch (error) {
      if (performance.now() >= pausedUntil) log.warn({ err: error }, 'rate_limit.redis_failed');
      pausedUntil = performance.now() + PAUSE_MS;
      return own.consume(key, points);
    }
  }

  return {
    async consume(key, limit, points = 1) {
      const counted = await count(key, points);
      const isAllowed = counted.consumedPoints <= limit;
      // A large request that does not fit leaves the room to smaller ones.
      if (!isAllowed && points > 1) await count(key, -points);
      return {
        isAllowed,
        limit,
        remaining: Math.max(0, limit - counted.consumedPoints),
        resetSeconds: Math.max(1, Math.ceil(counted.msBeforeNext / 1000)),
      };
    },
    close: () => client.disconnect(),
  };
}
