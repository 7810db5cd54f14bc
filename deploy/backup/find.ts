/** Finds the backup that is meant: a file, a name, or the latest wherever it lies. */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { openFile } from './archive.ts';
import { openBucket } from './bucket.ts';
import { openDirectory } from './directory.ts';
import type { Place, PlaceSettings, StoredBackup } from './place.ts';

export interface FoundBackup {
  name: string;
  /** For people */
  place: string;
  open(): Promise<Readable>;
}

export interface ListedBackup extends StoredBackup {
  /** All that have it, for people */
  places: string[];
}

/** @param wanted `latest`, a name, or the path of a file @returns undefined where there is none */
export async function findBackup(settings: PlaceSettings, wanted: string): Promise<FoundBackup | undefined> {
  if (wanted.includes('/') && existsSync(wanted))
    return { name: basename(wanted), place: wanted, open: () => openFile(wanted) };
  let found: FoundBackup | undefined;
  for (const place of placesOf(settings)) {
    const all = await place.list();
    const one = wanted === 'latest' ? all.at(-1) : all.find(({ name }) => name === wanted);
    // The directory comes first: what lies in both is read from there.
    if (one && (!found || one.name > found.name))
      found = { name: one.name, place: place.name, open: () => place.read(one.name) };
  }
  return found;
}

/** Oldest first. */
export async function listBackups(settings: PlaceSettings): Promise<ListedBackup[]> {
  const listed = new Map<string, ListedBackup>();
  for (const place of placesOf(settings)) {
    for (const one of await place.list()) {
      const known = listed.get(one.name);
      if (known) known.places.push(place.name);
      else listed.set(one.name, { ...one, places: [place.name] });
    }
  }
  return [...listed.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function placesOf(settings: PlaceSettings): Place[] {
  const bucket = openBucket(settings);
  return [openDirectory(settings), ...(bucket ? [bucket] : [])];
}
