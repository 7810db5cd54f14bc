/** The rows of one database, as of one moment, into an archive. */
import type { Readable } from 'node:stream';
import type pg from 'pg';
import copyStreams from 'pg-copy-streams';
import type { ArchiveWriter } from './archive.ts';
import { quoteName, readSequences } from './catalog.ts';
import { type DatabaseManifest, type DatabaseName, entryName, type Table } from './manifest.ts';
import { type Fingerprint, RowCounter } from './rows.ts';

/** Held in memory while it is written; a part is longer only where one row is. */
const PART_BYTES = 8 * 1024 * 1024;

/** What is committed later is not in the backup. It holds back vacuum until it ends. */
export async function beginSnapshot(client: pg.Client): Promise<void> {
  await client.query('begin isolation level repeatable read read only');
  await client.query('select 1'); // the snapshot is taken by the first query
}

export async function dumpTables(
  client: pg.Client,
  database: DatabaseName,
  tables: readonly Table[],
  archive: ArchiveWriter,
): Promise<DatabaseManifest> {
  const manifest: DatabaseManifest = { tables: {}, sequences: {} };
  for (const table of tables) {
    let number = 0;
    const save = (part: Buffer) => archive.add(entryName(database, table.name, ++number), part);
    manifest.tables[table.name] = await dumpTable(client, table, save);
  }
  manifest.sequences = await readSequences(client);
  return manifest;
}

/** Its rows in parts of whole lines, and what they add up to. */
export async function dumpTable(
  client: pg.Client,
  { name, columns }: Table,
  save: (part: Buffer) => Promise<void>,
): Promise<Fingerprint> {
  const list = columns.map(quoteName).join(', ');
  // A query, since COPY of a partitioned table itself copies nothing.
  const rows: Readable = client.query(
    copyStreams.to(`copy (select ${list} from ${quoteName(name)}) to stdout`),
  );
  const counter = new RowCounter();
  let parts: Buffer[] = [];
  let bytes = 0;
  const flush = async () => {
    if (bytes > 0) await save(Buffer.concat(parts));
    parts = [];
    bytes = 0;
  };
  for await (const chunk of rows) {
    const whole = counter.take(chunk as Buffer);
    parts.push(whole);
    bytes += whole.length;
    if (bytes >= PART_BYTES) await flush();
  }
  await flush();
  return counter.finish();
}
