/** What the backup commands say to people. */
import { type BackupResult, countRows } from '../deploy/backup/create.ts';
import type { ListedBackup } from '../deploy/backup/find.ts';
import type { Restored } from '../deploy/backup/restore.ts';
import type { Verification } from '../deploy/backup/verify.ts';
import { formatTable } from './text.ts';

const MEGABYTE = 1_000_000;

export function formatResult({ name, places, bytes, seconds, rows, objects, removed }: BackupResult): string {
  return [
    `${name}: ${formatBytes(bytes)} in ${seconds.toFixed(1)} s`,
    `  ${rows.app} rows of the app, ${rows.queue} of the queue` +
      (objects ? `, a list of ${objects.count} objects (${formatBytes(objects.bytes)})` : ''),
    ...places.map((place) => `  in ${place}`),
    ...removed.map((path) => `  removed ${path}`),
  ].join('\n');
}

export function formatBackups(backups: ListedBackup[]): string {
  if (backups.length === 0) return 'There are none yet: bin/postern backup create makes one.';
  return formatTable(
    ['name', 'size', 'where'],
    backups.map(({ name, bytes, places }) => [name, formatBytes(bytes), places.join(', ')]),
  );
}

export function formatVerification(name: string, result: Verification): string {
  const { tables, rows, seconds, differing, createdAt, version } = result;
  const head = `${name}: ${tables} tables, ${rows} rows of ${createdAt} (${version}), restored in ${seconds.toFixed(1)} s`;
  if (differing.length === 0) return `${head}; each as it was`;
  return `${head}\nNOT AS IT WAS: ${differing.join(', ')}. Do not rely on this backup; make another, and verify it.`;
}

export function formatRestored(name: string, { head, manifest }: Restored, isPaused: boolean): string {
  const deliveries = manifest.queue.tables['public.deliveries']?.rows ?? 0;
  return [
    `restored ${name} of ${head.createdAt}: ${countRows(manifest.app)} rows of the app, ${countRows(manifest.queue)} of the queue`,
    `${deliveries} deliveries were in the queue then; those that have ended since are sent once more` +
      (isPaused ? ', but not before bin/postern queue resume' : ''),
    `Next: node api/migrate.ts && node mta/queue/migrate.ts where this release is newer than ${head.version}, then start.`,
  ].join('\n');
}

function formatBytes(bytes: number): string {
  return bytes < MEGABYTE ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / MEGABYTE).toFixed(1)} MB`;
}
