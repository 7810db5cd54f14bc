/** Restores a backup into two databases made for it, reads every table again, compares, and drops them. */
import type { Readable } from 'node:stream';
import type pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { shortDigest } from '../local/installation.ts';
import { connect } from './catalog.ts';
import { dumpTable } from './dump.ts';
import { isSame } from './load.ts';
import type { DatabaseManifest, Table } from './manifest.ts';
import { type RestoreTarget, restoreBackup } from './restore.ts';

/** Held by one verification at a time, in the app database */
const LOCK_ID = 4_711_002;

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

/** @throws where it cannot be restored at all, or another is at it */
export async function verifyBackup(
  source: Readable,
  settings: Pick<Settings, 'database' | 'secrets'>,
): Promise<Verification> {
  const startedAt = performance.now();
  try {
    const result = await withScratchDatabases(settings, (target) =>
      restoreAndCompare(source, settings, target),
    );
    return { ...result, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    source.destroy();
  }
}

/** Two databases called after the one of the settings: those that a verification left that was killed go first. */
async function withScratchDatabases<T>(
  { database }: Pick<Settings, 'database'>,
  action: (target: RestoreTarget) => Promise<T>,
): Promise<T> {
  const server = await connect(database.url);
  try {
    const { rows } = await server.query<{ name: string; locked: boolean }>(
      'select current_database() as name, pg_try_advisory_lock($1) as locked',
      [LOCK_ID],
    );
    const { name = '', locked = false } = rows[0] ?? {};
    if (!locked) throw new Error('another verification is under way');
    const suffix = shortDigest(name);
    const names = { app: `postern_verify_app_${suffix}`, queue: `postern_verify_queue_${suffix}` };
    await dropDatabases(server, Object.values(names));
    try {
      for (const scratch of Object.values(names)) await server.query(`create database ${scratch}`);
      return await action({ app: urlOf(database.url, names.app), queue: urlOf(database.url, names.queue) });
    } finally {
      await dropDatabases(server, Object.values(names));
    }
  } finally {
    await server.end();
  }
}

async function dropDatabases(server: pg.Client, names: readonly string[]): Promise<void> {
  for (const name of names) await server.query(`drop database if exists ${name} with (force)`);
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

function urlOf(server: string, name: string): string {
  return Object.assign(new URL(server), { pathname: `/${name}` }).href;
}
