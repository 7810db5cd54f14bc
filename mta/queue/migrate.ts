/**
 * Brings the queue's schema up to date: the numbered files in migrations/, each once, each in a transaction,
 * forward only. Two that run at a time wait for each other. Run as `node mta/queue/migrate.ts`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { loadSettings } from '../../config/load.ts';
import { createPool, inTransaction } from './database.ts';

const DIRECTORY = join(import.meta.dirname, 'migrations');
const LOCK = 7_013_001; // any number that nobody else locks

/**
 * @param only no others: the schema that a backup was made of
 * @returns the names of the migrations that were run
 */
export async function migrateQueue(pool: pg.Pool, only?: ReadonlySet<string>): Promise<string[]> {
  return inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(`
      create table if not exists schema_migrations (
        name   text        primary key,
        run_at timestamptz not null default now()
      )`);
    const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
    const done = new Set(rows.map((row) => row.name));
    const missing = listQueueMigrations().filter((name) => !done.has(name) && (only?.has(name) ?? true));
    for (const name of missing) {
      await client.query(readFileSync(join(DIRECTORY, name), 'utf8'));
      await client.query('insert into schema_migrations (name) values ($1)', [name]);
    }
    return missing;
  });
}

/** In the order in which they are run. */
export function listQueueMigrations(): string[] {
  return readdirSync(DIRECTORY)
    .filter((name) => name.endsWith('.sql'))
    .sort();
}

if (import.meta.main) {
  const { queue } = loadSettings();
  const pool = createPool({ url: queue.url, maxConnections: 1, applicationName: 'postern-queue-migrate' });
  const names = await migrateQueue(pool);
  await pool.end();
  process.stdout.write(names.length > 0 ? `queue: ran ${names.join(', ')}\n` : 'queue: up to date\n');
}
