/** Restores a backup into two databases made for it, reads every table again, compares, and drops them. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { connect } from './catalog.ts';
import { dumpTable } from './dump.ts';
import { isSame } from './load.ts';
import type { DatabaseManifest, Table } from './manifest.ts';
import { type RestoreTarget, restoreBackup } from './restore.ts';

export interface Verification {
  createdAt: string;
  version: string;
  /** Of both databases */
  tables: number;
  rows: number;
  seconds: number;
  /** Tables that are not what was backed up; empty: all is well */
  differing: string[];
}

/** @throws where it cannot be restored at all */
export async function verifyBackup(
  source: Readable,
  settings: Pick<Settings, 'database' | 'secrets'>,
): Promise<Verification> {
  const startedAt = performance.now();
  const suffix = randomBytes(5).toString('hex');
  const names = { app: `postern_verify_app_${suffix}`, queue: `postern_verify_queue_${suffix}` };
  try {
    for (const name of Object.values(names)) await onServer(settings, `create database ${name}`);
    const target = { app: urlOf(settings, names.app), queue: urlOf(settings, names.queue) };
    return {
      ...(await restoreAndCompare(source, settings, target)),
      seconds: (performance.now() - startedAt) / 1000,
    };
  } finally {
    source.destroy();
    for (const name of Object.values(names))
      await onServer(settings, `drop database if exists ${name} with (force)`);
  }
}

async function restoreAndCompare(
  source: Readable,
  settings: Pick<Settings, 'secrets'>,
  target: RestoreTarget,
): Promise<Omit<Verification, 'seconds'>> {
  const { head, manifest } = await restoreBackup(source, settings, target, {
    keepsIdsApart: false,
    pausesQueue: false,
  });
  const differing = [];
  let tables = 0;
  let rows = 0;
  for (const name of ['app', 'queue'] as const) {
    for (const wrong of await compare(target[name], head[name].tables, manifest[name]))
      differing.push(`${name} ${wrong}`);
    tables += head[name].tables.length;
    rows += Object.values(manifest[name].tables).reduce((sum, table) => sum + table.rows, 0);
  }
  return { createdAt: head.createdAt, version: head.version, tables, rows, differing };
}

async function compare(url: string, tables: readonly Table[], manifest: DatabaseManifest): Promise<string[]> {
  const client = await connect(url);
  const differing = [];
  try {
    for (const table of tables) {
      const found = await dumpTable(client, table, async () => {});
      const wanted = manifest.tables[table.name];
      if (!wanted || !isSame(found, wanted)) differing.push(table.name);
    }
    return differing;
  } finally {
    await client.end();
  }
}

function urlOf({ database }: Pick<Settings, 'database'>, name: string): string {
  return Object.assign(new URL(database.url), { pathname: `/${name}` }).href;
}

async function onServer({ database }: Pick<Settings, 'database'>, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
