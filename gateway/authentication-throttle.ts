/**
 * Counts failed AUTHs over all sessions and gateways (AU-3).
 *
 * Two things are counted: failures of one client with one user name, so that a program with an old token is stopped and
 * its neighbours go on; and all failures of one client, so that nobody guesses by changing the name. A client is an
 * address, or an IPv6 /64: what happens there locks nobody out elsewhere. A token that was good from this very client
 * during the last day stays welcome until it fails.
 */
import { Redis } from 'ioredis';
import { clientOf } from '../lib/client-limits.ts';
import type { Logger } from '../lib/log.ts';
import { redisOptions } from '../lib/rpc/redis-options.ts';
import { Tally } from './tally.ts';

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
  const {
    authenticationWindowSeconds,
    authenticationBlockSeconds,
    authenticationKeyPrefix: prefix,
  } = options;
  const redis = new Redis(options.redisUrl, { ...redisOptions, commandTimeout: DEADLINE_MS });
  logFailures(redis, options.log);
  const times = { windowSeconds: authenticationWindowSeconds, blockSeconds: authenticationBlockSeconds };
  const ofAccounts = new Tally(redis, {
    keyPrefix: `${prefix}:account`,
    max: options.maxAuthenticationFailuresPerAccount,
    ...times,
  });
  const ofClients = new Tally(redis, {
    keyPrefix: `${prefix}:client`,
    max: options.maxAuthenticationFailuresPerClient,
    ...times,
  });
  const known = new Tally(redis, { keyPrefix: `${prefix}:known`, max: 1, windowSeconds: REMEMBERED_SECONDS });

  return {
    async isAllowed({ address, account, digest }) {
      const client = clientOf(address);
      const isFull = await Promise.all([ofAccounts.isFull(`${client}:${account}`), ofClients.isFull(client)]);
      return !isFull.includes(true) || known.isFull(`${client}:${digest}`);
    },
    async countFailure({ address, account, digest }) {
      const client = clientOf(address);
      await Promise.all([
        ofAccounts.add(`${client}:${account}`),
        ofClients.add(client),
        known.clear(`${client}:${digest}`), // it was revoked since
      ]);
    },
    rememberSuccess: ({ address, digest }) => known.fill(`${clientOf(address)}:${digest}`),
    close: () => redis.disconnect(),
  };
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
