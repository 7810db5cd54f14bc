/** A Postgres of a test's own, as bin/up runs it (deploy/local/postgres.ts), to be killed and to run out of disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { stringify } from 'smol-toml';
import { createDatabases } from '../../deploy/local/databases.ts';
import { locateInstallation, nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { removeData } from '../../deploy/local/postgres-location.ts';
import { migrateQueue } from '../../mta/queue/migrate.ts';
import { findFreePorts } from './free-ports.ts';
import type { TestDatabase } from './postgres.ts';

const USER = 'postern';
const DATABASE = 'postern_queue';

export interface PostgresServer {
  /** Of its database */
  url: string;
  /** SIGKILL to the server; its backends end by themselves. */
  kill(): Promise<void>;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** Ends it and deletes its data. */
  remove(): Promise<void>;
}

export interface OwnPostgres extends Pick<PostgresServer, 'kill' | 'start'> {
  /** A migrated queue. Its pool comes back after a crash. `drop` ends the server and deletes its data. */
  database: TestDatabase;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const { url, kill, start, remove } = await startPostgresServer();
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => {}); // idle connections of a server that was killed
  await migrateQueue(pool);
  return {
    database: {
      url,
      pool,
      async drop() {
        await pool.end();
        await remove();
      },
    },
    kill,
    start,
  };
}

export async function startPostgresServer(): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
  chmodSync(directory, 0o711); // Postgres runs as a user of its own
  const [port = 0] = await findFreePorts(1);
  const password = randomBytes(12).toString('hex');
  const url = `postgres://${USER}:${password}@127.0.0.1:${port}/${DATABASE}`;
  writeFileSync(
    join(directory, 'postern.toml'),
    stringify({ environment: 'test', queue: { url }, database: { url } }),
  );
  const secrets = ['SECRET_KEY', 'SERVICE_TOKEN', 'INTAKE_PASSWORD'].map(
    (name) => `POSTERN_${name}=${randomBytes(32).toString('base64')}\n`,
  );
  writeFileSync(join(directory, 'postern.env'), secrets.join(''), { mode: 0o600 });
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const { PATH = '' } = process.env;
    child = spawn(nodeBinary, [join(projectRoot, 'deploy/local/postgres.ts')], {
      env: { PATH, POSTERN_DIRECTORY: directory },
      stdio: 'ignore',
    });
    const server = { port, user: USER, password, databases: [DATABASE] };
    await createDatabases(server, new AbortController().signal);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }

  await start();
  return {
    url,
    kill: () => end('SIGKILL'),
    start,
    async remove() {
      await end('SIGINT');
      removeData(locateInstallation(directory).postgresDirectory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
