/**
 * Counts failed AUTHs over all sessions and processes (AU-3). The counts are kept in Redis; while Redis does not answer,
 * each process counts for itself.
 *
 * Two things are counted: failures of one client with one user name, so that a program with an old token is stopped and
 * its neighbours go on; and all failures of one client, so that nobody guesses by changing the name. A client is an
 * address, or an IPv6 /64: what happens there locks nobody out elsewhere. A token that was good from this very client
 * during the last day stays welcome in any case.
 */
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';
import type { Logger } from '../lib/log.ts';
import { redisOptions } from '../lib/rpc/redis-options.ts';
import { clientOf } from './client-limits.ts';

export interface Attempt {
  /** Where it comes from */
  address: string;
  /** SHA-256 of the user name */
  account: string;
  /** SHA-256 of user name and password together */
  digest: string;
}

export interface AuthenticationThrottle {
  /** Whether the token may be looked up now. */
  isAllowed(attempt: Attempt): Promise<boolean>;
  countFailure(attempt: Attempt): Promise<void>;
  rememberSuccess(attempt: Attempt): Promise<void>;
  close(): void;
}

export interface ThrottleOptions {
  redisUrl: string;
  authenticationKeyPrefix: string;
  /** Failures in a window before the client is refused with this user name */
  maxAuthenticationFailuresPerAccount: number;
  /** The same with any user name */
  maxAuthenticationFailuresPerClient: number;
  authenticationWindowSeconds: number;
  /** How long it is refused then */
  authenticationBlockSeconds: number;
  log: Logger;
}

/** Redis is an accelerator here too: AUTH waits for it no longer. */
const DEADLINE_MS = 100;
const REMEMBERED_SECONDS = 86_400;
const SILENCE_MS = 60_000;

export function createAuthenticationThrottle(options: ThrottleOptions): AuthenticationThrottle {
  const redis = new Redis(options.redisUrl, { ...redisOptions, commandTimeout: DEADLINE_MS });
  logFailures(redis, options.log);
  const perAccount = createCounter(
    redis,
    'account',
    options.maxAuthenticationFailuresPerAccount,
    options,
    ({ address, account }) => `${clientOf(address)}:${account}`,
  );
  const perClient = createCounter(
    redis,
    'client',
    options.maxAuthenticationFailuresPerClient,
    options,
    ({ address }) => clientOf(address),
  );
  const known = createLimiter(redis, {
    keyPrefix: `${options.authenticationKeyPrefix}:known`,
    points: 1,
    duration: REMEMBERED_SECONDS,
  });
  const knownKey = ({ address, digest }: Attempt) => `${clientOf(address)}:${digest}`;

  return {
    async isAllowed(attempt) {
      const isFull = await Promise.all([perAccount.isFull(attempt), perClient.isFull(attempt)]);
      return !isFull.includes(true) || (await known.get(knownKey(attempt))) !== null;
    },
    async countFailure(attempt) {
      await Promise.all([perAccount.count(attempt), perClient.count(attempt)]);
    },
    async rememberSuccess(attempt) {
      await known.set(knownKey(attempt), 1, REMEMBERED_SECONDS);
    },
    close: () => redis.disconnect(),
  };
}

/** Failures under one kind of key */
function createCounter(
  redis: Redis,
  name: string,
  maxFailures: number,
  options: ThrottleOptions,
  keyOf: (attempt: Attempt) => string,
) {
  const limiter = createLimiter(redis, {
    keyPrefix: `${options.authenticationKeyPrefix}:${name}`,
    points: maxFailures - 1, // the last one that is allowed starts the block
    duration: options.authenticationWindowSeconds,
    blockDuration: options.authenticationBlockSeconds,
  });
  return {
    async isFull(attempt: Attempt): Promise<boolean> {
      const failures = await limiter.get(keyOf(attempt));
      return failures !== null && failures.consumedPoints >= maxFailures;
    },
    async count(attempt: Attempt): Promise<void> {
      // Rejects with the state of a key that is full, which the next AUTH will find.
      await limiter.consume(keyOf(attempt)).catch((state: unknown) => {
        if (state instanceof Error) throw state;
      });
    },
  };
}

interface LimiterOptions {
  keyPrefix: string;
  points: number;
  duration: number;
  blockDuration?: number;
}

function createLimiter(storeClient: Redis, options: LimiterOptions): RateLimiterRedis {
  return new RateLimiterRedis({
    ...options,
    storeClient,
    rejectIfRedisNotReady: true,
    insuranceLimiter: new RateLimiterMemory(options),
  });
}

/** ioredis tries again for ever: once a minute is enough to read of it. */
function logFailures(redis: Redis, log: Logger): void {
  let quietUntil = 0;
  redis.on('error', (error) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + SILENCE_MS;
    log.warn({ err: error }, 'throttle.redis_failed');
  });
}
