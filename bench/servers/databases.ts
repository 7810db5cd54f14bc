/** The Postgres and the Redis of an installation, as bin/up runs them. */
import { join } from 'node:path';
import type { Settings } from '../../config/schema.ts';
import { createDatabases, waitForRedis } from '../../deploy/local/databases.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { runProgram } from '../../deploy/local/programs.ts';
import { findOwnPostgres, findOwnRedisPort } from '../../deploy/local/servers.ts';
import { type Child, startChild } from '../world/children.ts';

const NEVER = new AbortController().signal;

/** Durable: the program turns fsync and synchronous_commit on. */
export function startPostgres(settings: Settings): Child {
  return startChild({
    command: nodeBinary,
    parameters: [join(projectRoot, 'deploy/local/postgres.ts')],
    directory: projectRoot,
    variables: { POSTERN_DIRECTORY: settings.directory },
    logFile: join(settings.directory, 'log/postgres.log'),
  });
}

/** Resolves when Postgres answers, with the queue's tables in it. */
export async function prepareQueue(settings: Settings): Promise<void> {
  const server = findOwnPostgres(settings, {});
  if (!server) throw new Error('the URL of the queue database is not one of loopback');
  await createDatabases(server, NEVER);
  await runProgram(settings.directory, ['mta/queue/migrate.ts'], NEVER);
}

export async function startRedis(settings: Settings): Promise<Child> {
  const port = findOwnRedisPort(settings, {});
  const child = startChild({
    command: 'redis-server',
    parameters: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    directory: join(settings.directory, 'redis'),
    logFile: join(settings.directory, 'log/redis.log'),
  });
  await waitForRedis(settings.redis.url, NEVER);
  return child;
}
