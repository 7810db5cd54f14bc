/** A migrated queue database, and messages to put into it. */
import { Registry } from 'prom-client';
import { createLogger } from '../../lib/log.ts';
import { claimRows } from '../../mta/queue/claim-rows.ts';
import { Claims, type ClaimsOptions } from '../../mta/queue/claims.ts';
import { type NewMessage, storeMessages } from '../../mta/queue/intake.ts';
import { createQueueMetrics } from '../../mta/queue/metrics.ts';
import { migrateQueue } from '../../mta/queue/migrate.ts';
import type { ClaimedRow } from '../../mta/queue/rows.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export async function createQueueDatabase(prefix: string): Promise<TestDatabase> {
  const database = await createTestDatabase(prefix);
  await migrateQueue(database.pool);
  return database;
}

export async function emptyQueue({ pool }: TestDatabase): Promise<void> {
  await pool.query('truncate messages, message_chunks, deliveries, delivery_events, queue_counters');
}

let count = 0;

export interface MessageChanges extends Partial<NewMessage> {
  to?: string[];
  organizationId?: number;
  priority?: number;
}

export function newMessage({
  to,
  organizationId = 1,
  priority = 5,
  ...changes
}: MessageChanges = {}): NewMessage {
  const number = ++count;
  const identity = { messageId: number, organizationId, domain: 'sender.test', priority };
  return {
    id: `q${number}`,
    identity,
    envelope: { from: 'a@sender.test', to: to ?? [`r${number}@one.test`], headers: [], postern: identity },
    body: Buffer.from('Hello\r\n'),
    zone: 'default',
    lifetimeSeconds: 3600,
    ...changes,
  };
}

export async function queueMessage(
  database: TestDatabase,
  changes: MessageChanges = {},
): Promise<NewMessage> {
  const message = newMessage(changes);
  await storeMessages(database.pool, [message]);
  return message;
}

/** Claims for one instance; start() them to have them find what the database holds. */
export function createClaims(database: TestDatabase, changes: Partial<ClaimsOptions> = {}): Claims {
  const gauges = { waitingRows: () => 0, activeRows: () => 0, flows: () => 0, slowedDestinations: () => 0 };
  return new Claims({
    pool: database.pool,
    instanceId: 'test',
    leaseSeconds: 30,
    limitOf: () => ({ connections: 100 }),
    metrics: createQueueMetrics(new Registry(), gauges),
    log: createLogger('test', { level: 'silent' }),
    ...changes,
  });
}

/** Asks for one delivery. */
export async function takeOne(claims: Claims, owner = 'sender-1'): Promise<ClaimedRow | undefined> {
  return new Promise((resolve) => {
    claims.wait({ zone: 'default', owner, count: 1, give: (rows) => resolve(rows?.[0]) });
  });
}

/** Claims everything that is due in the flow of organization 1 to one.test. */
export async function claimAll(
  database: TestDatabase,
  { instanceId = 'test', leaseSeconds = 30 } = {},
): Promise<ClaimedRow[]> {
  const flow = { zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 };
  const rows = await claimRows(database.pool, {
    instanceId,
    leaseSeconds,
    wanted: [{ ...flow, count: 100 }],
  });
  return rows.toSorted((a, b) => a.sequence.localeCompare(b.sequence));
}

export async function countRows(database: TestDatabase, table: string, where = 'true'): Promise<number> {
  const { rows } = await database.pool.query<{ count: string }>(
    `select count(*) from ${table} where ${where}`,
  );
  return Number(rows[0]?.count);
}
