/**
 * In place of ZoneMTA's lib/db.js, which opens MongoDB and Redis. The queue has its own pool (context.ts), plugins use
 * Postern's cache, so this one connects nothing; without `redis` ZoneMTA leaves its own caches out.
 */
const db = {
  mongoclient: false,
  database: false,
  senderDb: false,
  gridfs: false,
  users: false,
  redis: false,
  redisConfig: {},
  connect: (callback: (error: Error | null, database: boolean) => void) => setImmediate(callback, null, true),
  getDBConnection: (_name: unknown, callback: (error: Error | null, database: boolean) => void) =>
    setImmediate(callback, null, false),
} as const;

export { db as 'module.exports' };
