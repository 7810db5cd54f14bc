/**
 * Fills two fresh databases from a backup. Each is filled in one transaction, and both are committed only when the file was
 * read to its end and every table has the rows that were backed up: what fails on the way leaves empty tables behind, and
 * may be repeated.
 */
import type { Readable } from 'node:stream';
import type { Settings } from '../../config/schema.ts';
import { readArchive, readEntry } from './archive.ts';
import { createDecrypter } from './keys.ts';
import { beginLoading, finishLoading, type Loading, loadRows, refuseUnknownMigrations } from './load.ts';
import {
  type DatabaseName,
  HEAD,
  type Head,
  MANIFEST,
  type Manifest,
  OBJECTS,
  parseEntryName,
  readHead,
  readManifest,
} from './manifest.ts';

export interface RestoreTarget {
  /** URLs of the databases, which exist and are empty */
  app: string;
  queue: string;
}

export interface RestoreOptions {
  /** New ids begin far above those of the backup, since others know ids of what is lost. Not for a scratch database. */
  keepsIdsApart: boolean;
  /** Nothing of the queue is sent until it is resumed. */
  pausesQueue: boolean;
}

export interface Restored {
  head: Head;
  manifest: Manifest;
}

const PAUSE = `insert into queue_pauses (selector, reason, created_by) values ('{"all": true}', $1, 'restore') returning id`;

/** @throws RestoreRefusal where the databases are not fit for it; others where the file is not whole */
export async function restoreBackup(
  source: Readable,
  settings: Pick<Settings, 'secrets'>,
  target: RestoreTarget,
  options: RestoreOptions,
): Promise<Restored> {
  const loadings = new Map<DatabaseName, Loading>();
  try {
    const { head, manifest } = await readInto(source, settings, target, loadings);
    for (const [name, loading] of loadings) await finishLoading(loading, manifest[name], options);
    if (options.pausesQueue) await pauseQueue(loadings.get('queue'), head);
    for (const { client } of loadings.values()) await client.query('commit');
    return { head, manifest };
  } finally {
    source.destroy();
    for (const { client } of loadings.values()) await client.end(); // which rolls back what was not committed
  }
}

async function readInto(
  source: Readable,
  settings: Pick<Settings, 'secrets'>,
  target: RestoreTarget,
  loadings: Map<DatabaseName, Loading>,
): Promise<Restored> {
  let head: Head | undefined;
  let manifest: Manifest | undefined;
  for await (const entry of readArchive(source, await createDecrypter(settings))) {
    if (entry.name === HEAD) {
      head = readHead(await readEntry(entry));
      await refuseUnknownMigrations(head);
      for (const name of ['queue', 'app'] as const)
        loadings.set(name, await beginLoading(name, target[name], head));
    } else if (entry.name === MANIFEST) {
      manifest = readManifest(await readEntry(entry));
    } else if (entry.name.startsWith(`${OBJECTS}/`)) {
      await readEntry(entry); // for people, and for verify
    } else {
      await loadEntry(entry, loadings);
    }
  }
  if (!head || !manifest) throw new Error('the backup is not whole');
  return { head, manifest };
}

async function loadEntry(
  entry: { name: string; content: AsyncIterable<Buffer> },
  loadings: ReadonlyMap<DatabaseName, Loading>,
): Promise<void> {
  const place = parseEntryName(entry.name);
  const loading = place && loadings.get(place.database);
  if (!loading) throw new Error(`the backup has an entry that nobody knows: ${entry.name}`);
  await loadRows(loading, place.table, entry.content);
}

async function pauseQueue(queue: Loading | undefined, { createdAt }: Head): Promise<void> {
  const { rows } = (await queue?.client.query(PAUSE, [`restored from the backup of ${createdAt}`])) ?? {};
  await queue?.client.query('update deliveries set paused_by = $1 where claim_id is null', [rows?.[0]?.id]);
}
