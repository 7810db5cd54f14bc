/** Settings of every Redis connection of RPC: it fails at once where Redis is down, and comes back by itself. */
import type { RedisOptions } from 'ioredis';

export const redisOptions = {
  connectTimeout: 1_000,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  retryStrategy: (attempts: number) => Math.min(attempts * 50, 1_000),
  // After a failover the address may lead to the new primary, the open connection still to the old one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} as const satisfies RedisOptions;
