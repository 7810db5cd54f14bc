/**
 * Says that a cached value is no longer true. The api calls it after the change has been committed: before that, a
 * process could fetch and cache the old row again.
 *
 * The key is deleted first and published second: who hears of it and looks again must not find it in Redis. Deleting
 * it also takes away the lease of a fetch that is under way (redis-store.ts), so that its old answer is not stored.
 */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { cacheKey, invalidationChannel } from './cache-key.ts';
import type { Contract, ParamsOf } from './contracts/contract.ts';
import { redisOptions } from './redis-options.ts';

const TIMEOUT_MS = 500;
const REPEAT_MS = 250;

export interface Invalidator {
  /**
   * Resolves when Redis has it. It is repeated until then, as long as this process lives; who must be sure beyond
   * that calls it from a job too.
   * @throws after at most a second when Redis is out of reach
   */
  invalidate<C extends Contract>(contract: C, params: ParamsOf<C>): Promise<void>;
  close(): Promise<void>;
}

export function createInvalidator({ redisUrl, log }: { redisUrl: string; log: Logger }): Invalidator {
  const redis = new Redis(redisUrl, { ...redisOptions, commandTimeout: TIMEOUT_MS });
  /** Keys that Redis has not confirmed. One entry a key, however often its row changes. */
  const pending = new Set<string>();
  let repeat: NodeJS.Timeout | undefined;
  let isClosing = false;

  redis.on('error', () => {}); // a failed publish logs it, with the key

  async function publish(key: string): Promise<void> {
    pending.delete(key); // before sending: a change that comes meanwhile has to be sent again
    try {
      if (redis.status !== 'ready') await once(redis, 'ready', { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const results = await redis.multi().del(key).publish(invalidationChannel, key).exec();
      for (const [error] of results ?? []) if (error) throw error;
    } catch (error) {
      pending.add(key);
      log.warn({ err: error, key }, 'rpc.invalidation_delayed');
      if (!isClosing) repeat ??= setTimeout(publishPending, REPEAT_MS);
      throw error;
    }
  }

  async function publishPending(): Promise<void> {
    repeat = undefined;
    await Promise.allSettled([...pending].map(publish)); // publish keeps and logs what fails
  }

  return {
    invalidate: (contract, params) => publish(cacheKey(contract, params)),
    async close() {
      isClosing = true;
      clearTimeout(repeat);
      await publishPending();
      if (pending.size > 0) log.error({ keys: [...pending] }, 'rpc.invalidations_lost');
      redis.disconnect();
    },
  };
}
