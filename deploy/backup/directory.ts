/** Backups in a directory. A file has its name only when it is whole and on the disk; until then it is called `.partial`. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { locateInstallation } from '../local/installation.ts';
import { openFile } from './archive.ts';
import { type Place, type PlaceSettings, selectBackups } from './place.ts';

export interface Directory extends Place {
  /** `fill` makes the file that it is given the path of. @returns the file's path */
  save(name: string, fill: (path: string) => Promise<void>): Promise<string>;
}

const PARTIAL = '.partial';
const DAY_MS = 86_400_000;

export function openDirectory({ directory, backup }: Pick<PlaceSettings, 'directory' | 'backup'>): Directory {
  const path = backup.directory || join(locateInstallation(directory).directory, 'backups');
  return {
    name: path,
    async list() {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return selectBackups(readdirSync(path).map((name) => ({ name, bytes: sizeOf(join(path, name)) })));
    },
    read: (name) => openFile(join(path, basename(name))),
    remove: (name) => rm(join(path, basename(name))),
    async save(name, fill) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      // What another left that died. Two at a time do not happen: the job is exclusive, and names differ by the second.
      for (const left of readdirSync(path).filter((file) => file.endsWith(PARTIAL)))
        if (isOld(join(path, left))) await rm(join(path, left), { force: true });
      const target = join(path, name);
      const partial = `${target}${PARTIAL}`;
      try {
        await fill(partial);
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      await flushDirectory(path);
      return target;
    },
  };
}

/** Nothing of one that went while we looked. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function isOld(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) < Date.now() - DAY_MS;
}

/** A renamed file outlives a power cut only when its directory is written as well. */
async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
