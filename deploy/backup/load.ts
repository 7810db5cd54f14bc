/** The other end of dump.ts: a fresh database, made by our own migrations, is filled in one transaction. */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import pg from 'pg';
import copyStreams from 'pg-copy-streams';
import { listMigrations, migrate } from '../../api/migrate.ts';
import { listQueueMigrations, migrateQueue } from '../../mta/queue/migrate.ts';
import { connect, listTables, quoteName } from './catalog.ts';
import type { DatabaseManifest, DatabaseName, Head, Table } from './manifest.ts';
import { type Fingerprint, RowCounter } from './rows.ts';

/** What was made between the backup and the loss is gone, and others know its ids: none of them comes twice. */
const ID_GAP = 100_000_000n;
const KNOWN_OUTSIDE = /^public\.(messages|inbound_messages|webhook_deliveries)_/;

/** The target is not what it should be; nothing was changed. */
export class RestoreRefusal extends Error {}

export interface Loading {
  client: pg.Client;
  tables: ReadonlyMap<string, Table>;
  loaded: Map<string, RowCounter>;
}

/** @throws RestoreRefusal where this release is older than the backup */
export async function refuseUnknownMigrations(head: Head): Promise<void> {
  for (const name of ['app', 'queue'] as const) {
    const known = new Set(name === 'app' ? await listMigrations() : listQueueMigrations());
    const unknown = head[name].migrations.find((migration) => !known.has(migration));
    if (unknown) {
      throw new RestoreRefusal(
        `the backup was made by a newer release (${head.version}), with the migration ${unknown}: restore it by that one`,
      );
    }
  }
}

/** Brings the schema to where it was at the backup, and begins the transaction. */
export async function beginLoading(name: DatabaseName, url: string, head: Head): Promise<Loading> {
  const { migrations, tables } = head[name];
  await prepareSchema(name, url, new Set(migrations));
  const client = await connect(url);
  await client.query('begin');
  const loading = { client, tables: new Map(tables.map((table) => [table.name, table])), loaded: new Map() };
  try {
    await refuseRows(name, client);
    if (name === 'app') await makePartitions(client, head.partitions);
    return loading;
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Part of a table's rows. */
export async function loadRows(
  loading: Loading,
  name: string,
  content: AsyncIterable<Buffer>,
): Promise<void> {
  const table = loading.tables.get(name);
  if (!table) throw new Error(`the backup has rows of ${name}, which it does not list`);
  const counter = loading.loaded.get(name) ?? new RowCounter();
  loading.loaded.set(name, counter);
  const list = table.columns.map(quoteName).join(', ');
  const sink: Writable = loading.client.query(
    copyStreams.from(`copy ${quoteName(name)} (${list}) from stdin`),
  );
  const done = finished(sink);
  done.catch(() => {}); // awaited below
  for await (const chunk of content) {
    counter.take(chunk);
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), done]);
  }
  sink.end();
  await done;
}

/** @throws where a row is missing or another than it was */
export async function finishLoading(
  { client, tables, loaded }: Loading,
  manifest: DatabaseManifest,
  { keepsIdsApart }: { keepsIdsApart: boolean },
): Promise<void> {
  for (const name of tables.keys()) {
    const found = (loaded.get(name) ?? new RowCounter()).finish();
    const wanted = manifest.tables[name];
    if (!wanted || !isSame(found, wanted)) throw new Error(`${name} is not what was backed up`);
  }
  for (const [name, value] of Object.entries(manifest.sequences)) {
    const gap = keepsIdsApart && KNOWN_OUTSIDE.test(name) ? ID_GAP : 0n;
    await client.query('select setval($1, $2::bigint)', [quoteName(name), String(BigInt(value) + gap)]);
  }
}

export function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return one.rows === other.rows && one.digest === other.digest;
}

async function prepareSchema(name: DatabaseName, url: string, only: ReadonlySet<string>): Promise<void> {
  await refuseOtherSchema(name, url, only);
  if (name === 'app') {
    await migrate(url, only);
    return;
  }
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    await migrateQueue(pool, only);
  } finally {
    await pool.end();
  }
}

async function refuseOtherSchema(name: DatabaseName, url: string, only: ReadonlySet<string>): Promise<void> {
  const client = await connect(url);
  try {
    const { rows: found } = await client.query(`select to_regclass('public.schema_migrations') as name`);
    if (found[0]?.name === null) {
      if ((await listTables(client)).length > 0)
        throw new RestoreRefusal(`the ${name} database has tables of somebody else: name an empty one`);
      return;
    }
    await refuseRows(name, client);
    const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
    const newer = rows.find((row) => !only.has(row.name));
    if (newer) {
      throw new RestoreRefusal(
        `the ${name} database is newer than the backup (${newer.name}): drop it, and create it anew`,
      );
    }
  } finally {
    await client.end();
  }
}

/** A restore that was cut off leaves tables without rows, and may be repeated. */
async function refuseRows(name: DatabaseName, client: pg.Client): Promise<void> {
  for (const table of await listTables(client)) {
    const { rowCount } = await client.query(`select from ${quoteName(table.name)} limit 1`);
    if (rowCount !== 0) {
      throw new RestoreRefusal(`the ${name} database is not empty: ${table.name} has rows. Name a fresh one`);
    }
  }
}

/** Of the model partition.ts, whose functions make and drop those of all tables at once. */
async function makePartitions(client: pg.Client, wanted: Head['partitions']): Promise<void> {
  await client.query('select drop_message_partition(lower_id) from message_partitions');
  for (const { lower, upper } of wanted)
    await client.query('select create_message_partition($1, $2)', [lower, upper]);
}
