/**
 * `node deploy/host/check-migrations.ts --target <release>`, on a host: whether that release can run on the databases as
 * they are, and as this release's migrations make them. Before a migration the target is what runs now, and may have to
 * run again; before a rollback it is what is gone back to (DP-3).
 */
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { projectRoot } from '../local/installation.ts';
import { StepFailure } from '../local/steps.ts';
import { findObstacles } from '../migrations/contract.ts';
import { listReleaseMigrations, readVersion } from '../migrations/release-migrations.ts';
import { answer, hostProgram, readHostRun } from './host.ts';

const UNDEFINED_TABLE = '42P01';

const program = hostProgram('check-migrations').requiredOption('--target <path>', 'the release').parse();
const run = readHostRun(program);
const target = resolve(program.opts<{ target: string }>().target);

await answer(async () => {
  const own = listReleaseMigrations(projectRoot);
  const applied = new Set([...own.map(({ name }) => name), ...(await listApplied(run.settings))]);
  const others = readdirSync(dirname(target)).map((name) => join(dirname(target), name));
  const known = new Map(
    [...others.flatMap(listReleaseMigrations), ...own].map(
      (migration) => [migration.name, migration] as const,
    ),
  );
  const migrations = new Set(listReleaseMigrations(target).map(({ name }) => name));
  const obstacles = findObstacles({ version: readVersion(target), migrations }, [...applied], known);
  if (obstacles.length > 0)
    throw new StepFailure([`${target} cannot run on this schema:`, ...obstacles].join('\n  - '));
  return 'can run';
});

async function listApplied({ database, queue }: Settings): Promise<string[]> {
  const urls = [
    ...(run.roles.includes('api') ? [database.url] : []),
    ...(run.roles.includes('mta') && queue.backend === 'postgres' ? [queue.url] : []),
  ];
  return (await Promise.all(urls.map(readApplied))).flat();
}

/** None in a database that has not been migrated yet. */
async function readApplied(connectionString: string): Promise<string[]> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
    return rows.map(({ name }) => name);
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) return [];
    throw error;
  } finally {
    await client.end();
  }
}
