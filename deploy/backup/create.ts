/**
 * Makes a backup: both databases as of one moment, and the list of what lies in object storage, in one encrypted file.
 *
 * The snapshot of the app database is taken first, that of the queue right after it. So no message is handed over in the one
 * and missing in the other; what is handed over between the two is handed over again after a restore, which queues nothing
 * (the intake knows its id). What ends between the two and is told to the api is shown as queued by the restored api.
 */
import { basename } from 'node:path';
import type pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { projectRoot } from '../local/installation.ts';
import { readVersion } from '../migrations/release-migrations.ts';
import { type ArchiveWriter, writeArchive } from './archive.ts';
import { openBucket } from './bucket.ts';
import { connect, listAppliedMigrations, listTables } from './catalog.ts';
import { openDirectory } from './directory.ts';
import { beginSnapshot, dumpTables } from './dump.ts';
import { createEncrypter } from './keys.ts';
import { HEAD, type Head, MANIFEST, type Manifest, writeHead, writeManifest } from './manifest.ts';
import { listStoredObjects } from './object-list.ts';
import { backupName, type Place } from './place.ts';
import { selectExpired } from './retention.ts';

export interface BackupResult {
  name: string;
  /** Where it is now */
  places: string[];
  bytes: number;
  seconds: number;
  rows: { app: number; queue: number };
  objects: Manifest['objects'];
  /** Older ones that went, as `place/name` */
  removed: string[];
}

type BackupSettings = Pick<
  Settings,
  'instanceId' | 'directory' | 'database' | 'queue' | 'storage' | 'backup' | 'secrets'
>;

/** @throws where it was not made; one that is in the directory but not in the bucket stays there */
export async function createBackup(settings: BackupSettings, now = new Date()): Promise<BackupResult> {
  if (settings.queue.url === settings.database.url) throw new Error('both databases are the same');
  const startedAt = performance.now();
  const directory = openDirectory(settings);
  const bucket = openBucket(settings);
  const encrypter = await createEncrypter(settings);
  let manifest: Manifest | undefined;
  const path = await directory.save(backupName(now), (partial) =>
    writeArchive(partial, encrypter, async (archive) => {
      manifest = await fill(archive, settings, now);
    }),
  );
  if (!manifest) throw new Error('nothing was written');
  await bucket?.upload(path);
  const removed = [];
  for (const place of bucket ? [directory, bucket] : [directory])
    removed.push(...(await prune(place, settings)));
  const name = basename(path);
  return {
    name,
    places: [directory.name, ...(bucket ? [bucket.name] : [])],
    bytes: (await directory.list()).find((one) => one.name === name)?.bytes ?? 0,
    seconds: (performance.now() - startedAt) / 1000,
    rows: { app: countRows(manifest.app), queue: countRows(manifest.queue) },
    objects: manifest.objects,
    removed,
  };
}

export function countRows({ tables }: Manifest['app']): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}

async function fill(archive: ArchiveWriter, settings: BackupSettings, now: Date): Promise<Manifest> {
  const app = await connect(settings.database.url);
  try {
    const queue = await connect(settings.queue.url);
    try {
      await beginSnapshot(app);
      await beginSnapshot(queue);
      const head = await describe(app, queue, settings, now);
      await archive.add(HEAD, writeHead(head));
      const manifest = {
        queue: await dumpTables(queue, 'queue', head.queue.tables, archive),
        app: await dumpTables(app, 'app', head.app.tables, archive),
        objects: await listStoredObjects(settings, archive),
      };
      await archive.add(MANIFEST, writeManifest(manifest));
      return manifest;
    } finally {
      await queue.end();
    }
  } finally {
    await app.end();
  }
}

async function describe(
  app: pg.Client,
  queue: pg.Client,
  { instanceId }: BackupSettings,
  now: Date,
): Promise<Omit<Head, 'format'>> {
  const { rows: partitions } = await app.query<{ lower: string; upper: string }>(
    'select lower_id as lower, upper_id as upper from message_partitions order by lower_id',
  );
  return {
    version: readVersion(projectRoot),
    createdAt: now.toISOString(),
    instanceId,
    app: { migrations: await listAppliedMigrations(app), tables: await listTables(app) },
    queue: { migrations: await listAppliedMigrations(queue), tables: await listTables(queue) },
    partitions: partitions.map(({ lower, upper }) => ({ lower: Number(lower), upper: Number(upper) })),
  };
}

async function prune(place: Place, { backup }: BackupSettings): Promise<string[]> {
  const expired = selectExpired(await place.list(), backup);
  for (const { name } of expired) await place.remove(name);
  return expired.map(({ name }) => `${place.name}/${name}`);
}
