/** The migrations of both databases that a release brings. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Migration } from './contract.ts';

const FOLDERS = ['api/migrations', 'mta/queue/migrations'];

/** @param project the root of a release or a checkout; one without migrations has none */
export function listReleaseMigrations(project: string): Migration[] {
  return FOLDERS.map((folder) => join(project, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.sql'))
        .sort()
        .map((name) => ({ name, sql: readFileSync(join(folder, name), 'utf8') })),
    );
}

export function readVersion(project: string): string {
  return (JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string }).version;
}
