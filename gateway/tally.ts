/**
 * Counts under keys, each for a time, in this process and in Redis: a key is full when either count is. So all gateways
 * count together, and each goes on alone while Redis is down, late or flushed.
 */
import type { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';

export interface TallyOptions {
  keyPrefix: string;
  /** At which a key is full */
  max: number;
  /** Counted from the first of a key */
  windowSeconds: number;
  /** How long a key that is full stays so; the window unless given */
  blockSeconds?: number;
}

export class Tally {
  readonly #own: RateLimiterMemory;
  readonly #shared: RateLimiterRedis;
  readonly #max: number;
  readonly #windowSeconds: number;

  constructor(redis: Redis, { keyPrefix, max, windowSeconds, blockSeconds = windowSeconds }: TallyOptions) {
    // The library blocks what is over its points: the one that fills the key.
    const limits = { keyPrefix, points: max - 1, duration: windowSeconds, blockDuration: blockSeconds };
    this.#own = new RateLimiterMemory(limits);
    this.#shared = new RateLimiterRedis({ ...limits, storeClient: redis, rejectIfRedisNotReady: true });
    this.#max = max;
    this.#windowSeconds = windowSeconds;
  }

  async isFull(key: string): Promise<boolean> {
    const isFull = (count: RateLimiterRes | null) => count !== null && count.consumedPoints >= this.#max;
    return isFull(await this.#own.get(key)) || isFull(await this.#shared.get(key).catch(() => null));
  }

  async add(key: string): Promise<void> {
    // Rejects with the count of a key that is full, or where Redis does not answer.
    const ignore = () => undefined;
    await Promise.all([this.#own.consume(key).catch(ignore), this.#shared.consume(key).catch(ignore)]);
  }

  /** Full at once, for the window */
  async fill(key: string): Promise<void> {
    await this.#own.set(key, this.#max, this.#windowSeconds);
    await this.#shared.set(key, this.#max, this.#windowSeconds).catch(() => undefined);
  }

  async clear(key: string): Promise<void> {
    await this.#own.delete(key);
    await this.#shared.delete(key).catch(() => undefined);
  }
}
