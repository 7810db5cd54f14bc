/** Where backups lie (directory.ts, bucket.ts), and how they are called there. */
import type { Readable } from 'node:stream';
import type { Settings } from '../../config/schema.ts';

export interface StoredBackup {
  name: string;
  createdAt: Date;
  bytes: number;
}

export interface Place {
  /** For people */
  name: string;
  /** Oldest first */
  list(): Promise<StoredBackup[]>;
  read(name: string): Promise<Readable>;
  remove(name: string): Promise<void>;
}

export type PlaceSettings = Pick<Settings, 'directory' | 'backup' | 'secrets'>;

const NAME = /^postern-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar\.zst\.age$/;

/** As `postern-20260102T030405Z.tar.zst.age` */
export function backupName(at: Date): string {
  return `postern-${at.toISOString().replace(/[-:]|\.\d+/g, '')}.tar.zst.age`;
}

/** Undefined: not a backup */
export function readBackupName(name: string): Date | undefined {
  const parts = NAME.exec(name);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

/** Those files that are backups, oldest first. */
export function selectBackups(files: readonly { name: string; bytes: number }[]): StoredBackup[] {
  return files
    .flatMap(({ name, bytes }) => {
      const createdAt = readBackupName(name);
      return createdAt ? [{ name, createdAt, bytes }] : [];
    })
    .sort((a, b) => a.name.localeCompare(b.name));
}
