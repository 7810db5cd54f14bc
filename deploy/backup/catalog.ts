/** What a database of ours holds, asked of Postgres itself: no table that a migration adds can be forgotten here. */
import pg from 'pg';
import type { Table } from './manifest.ts';

/** Values as text that is the same wherever it is written and read. */
const SETTINGS = `
  set client_encoding = 'UTF8';
  set datestyle = 'ISO, MDY';
  set intervalstyle = 'postgres';
  set timezone = 'UTC';
  set extra_float_digits = 1;
  set bytea_output = 'hex';
  set statement_timeout = 0;
  set idle_in_transaction_session_timeout = 0;
  set lock_timeout = '30s'`;

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Of pg-boss only the jobs: its queues and schedules are made by the release that runs (api/jobs/queues.ts). A restored
 * queue has an identity of its own: what it shares in Redis is not that of the queue it was taken from.
 */
const LISTED = `relkind in ('r', 'p') and not relispartition
             and (nspname = 'public' and relname not in ('schema_migrations', 'message_partitions', 'queue_identity')
                  or nspname = 'pgboss' and relname = 'job')`;

export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'postern-backup',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  client.on('error', () => {}); // shows in the query that is under way, or the next
  await client.connect();
  await client.query(SETTINGS);
  return client;
}

/** Those that are referred to come before those that refer to them. */
export async function listTables(client: pg.Client): Promise<Table[]> {
  const { rows } = await client.query<Table & { refers_to: string[] }>(
    `select format('%s.%s', nspname, relname) as name,
            array(select attname::text
                    from pg_attribute
                   where attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
                   order by attnum) as columns,
            array(select distinct format('%s.%s', target_schema.nspname, target.relname)
                    from pg_constraint
                    join pg_class target on target.oid = confrelid
                    join pg_namespace target_schema on target_schema.oid = target.relnamespace
                   where conrelid = pg_class.oid and contype = 'f' and confrelid <> conrelid) as refers_to
       from pg_class
       join pg_namespace on pg_namespace.oid = relnamespace
      where ${LISTED}
      order by nspname, relname`,
  );
  return sortByReference(rows).map(({ name, columns }) => ({ name, columns }));
}

export async function listAppliedMigrations(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('select name from schema_migrations order by name');
  return rows.map(({ name }) => name);
}

/** Not part of a snapshot: read them after the rows, and none is behind. */
export async function readSequences(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    `select format('%s.%s', schemaname, sequencename) as name, last_value::text as value
       from pg_sequences
      where schemaname = 'public' and last_value is not null`,
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** @param name as `public.messages` */
export function quoteName(name: string): string {
  return name.split('.').map(pg.escapeIdentifier).join('.');
}

export function sortByReference<T extends { name: string; refers_to: string[] }>(tables: T[]): T[] {
  const sorted: T[] = [];
  const done = new Set<string>();
  let left = tables;
  while (left.length > 0) {
    const known = new Set(left.map(({ name }) => name));
    const ready = left.filter(({ refers_to }) => refers_to.every((name) => !known.has(name)));
    if (ready.length === 0)
      throw new Error(`tables refer to each other in a circle: ${[...known].join(', ')}`);
    for (const table of ready) done.add(table.name);
    sorted.push(...ready);
    left = left.filter(({ name }) => !done.has(name));
  }
  return sorted;
}
