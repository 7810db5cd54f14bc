/**
 * `node api/migrate.ts`: brings the app database up to date, and exits.
 *
 * Applies the files of migrations/ that are not yet in schema_migrations, in the order of their numbers, each in a
 * transaction of its own; then pg-boss's own schema and our queues, so that server and worker find them in place.
 * Forward only. Holds an advisory lock, so that any number of machines may start it at the same time.
 * A crash leaves whole migrations behind, never half of one: run it again.
 */
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { installQueues } from './jobs/queues.ts';

const DIRECTORY = new URL('migrations/', import.meta.url);
const FILE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/;
/** Any number; the same for all who migrate. */
const LOCK_ID = 4_711_001;

/**
 * @param only no others: the schema that a backup was made of
 * @returns the names of the migrations that were applied now
 */
export async function migrate(databaseUrl: string, only?: ReadonlySet<string>): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK_ID]);
    const applied = await applyMigrations(client, only);
    await installBoss(databaseUrl);
    return applied;
  } finally {
    await client.end(); // which gives the lock back
  }
}

async function applyMigrations(client: pg.Client, only?: ReadonlySet<string>): Promise<string[]> {
  await client.query(`
    create table if not exists schema_migrations (
      name       text        primary key,
      applied_at timestamptz not null default now()
    )`);
  const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
  const done = new Set(rows.map((row) => row.name));
  const pending = (await listMigrations()).filter((name) => !done.has(name) && (only?.has(name) ?? true));
  for (const name of pending) await applyMigration(client, name);
  return pending;
}

/** In the order in which they are applied. */
export async function listMigrations(): Promise<string[]> {
  const names = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.sql')).sort();
  const misnamed = names.find((name) => !FILE_NAME.test(name));
  if (misnamed) throw new Error(`migrations/${misnamed}: the name must be like 0001_name.sql`);
  return names;
}

async function applyMigration(client: pg.Client, name: string): Promise<void> {
  const sql = await readFile(new URL(name, DIRECTORY), 'utf8');
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into schema_migrations (name) values ($1)', [name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw new Error(`migration ${name} failed`, { cause: error });
  }
}

async function installBoss(connectionString: string): Promise<void> {
  const boss = new PgBoss({
    connectionString,
    max: 2,
    supervise: false,
    schedule: false,
    registerInstance: false,
  });
  const failures: Error[] = [];
  boss.on('error', (error) => failures.push(error));
  await boss.start();
  await installQueues(boss);
  await boss.stop({ graceful: false });
  if (failures[0]) throw failures[0];
}

if (import.meta.main) {
  const settings = loadSettings();
  const log = createLogger('migrate', settings.log);
  const applied = await migrate(settings.database.url);
  log.info({ applied }, 'database.migrated');
}
