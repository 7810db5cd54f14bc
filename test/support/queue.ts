/** A migrated queue database, and messages to put into it. */

import { type NewMessage, storeMessage } from '../../mta/queue/intake.ts';
import { migrateQueue } from '../../mta/queue/migrate.ts';
import { createTestDatabase, type TestDatabase } from './postgres.ts';

export async function createQueueDatabase(prefix: string): Promise<TestDatabase> {
  const database = await createTestDatabase(prefix);
  await migrateQueue(database.pool);
  return database;
}

let count = 0;

export function newMessage(changes: Partial<NewMessage> & { to?: string[] } = {}): NewMessage {
  const number = ++count;
  const { to = [`r${number}@one.test`], ...rest } = changes;
  const identity = { messageId: number, organizationId: 1, domain: 'sender.test' };
  return {
    id: `q${number}`,
    identity,
    envelope: { from: 'a@sender.test', to, headers: [], postern: identity },
    body: Buffer.from('Hello\r\n'),
    zone: 'default',
    lifetimeSeconds: 3600,
    ...rest,
  };
}

export async function queueMessage(database: TestDatabase, changes: Parameters<typeof newMessage>[0] = {}) {
  const message = newMessage(changes);
  await storeMessage(database.pool, message);
  return message;
}

export async function countRows(database: TestDatabase, table: string, where = 'true'): Promise<number> {
  const { rows } = await database.pool.query<{ count: string }>(
    `select count(*) from ${table} where ${where}`,
  );
  return Number(rows[0]?.count);
}
