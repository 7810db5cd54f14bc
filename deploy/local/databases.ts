/** The database servers of an installation, once started: reachable, and with the databases of ours in them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Settings } from '../../config/schema.ts';
import { runProgram } from './programs.ts';
import type { OwnPostgres } from './servers.ts';
import { StepFailure } from './steps.ts';

const POLL_MS = 200;
const START_DEADLINE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** Waits until our own Postgres answers, and creates the databases it lacks. */
export async function createDatabases(server: OwnPostgres, signal: AbortSignal): Promise<void> {
  const url = new URL('postgres://127.0.0.1/postgres');
  Object.assign(url, { port: String(server.port), username: server.user, password: server.password });
  const client = await waitFor('postgres', signal, () => connect(url.href));
  try {
    for (const name of server.databases) {
      const { rowCount } = await client.query('select from pg_database where datname = $1', [name]);
      if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
    }
  } finally {
    await client.end();
  }
}

/** Redis is a cache: it need only answer. */
export async function waitForRedis(url: string, signal: AbortSignal): Promise<void> {
  await waitFor('redis', signal, async () => {
    const redis = new Redis(url, {
      lazyConnect: true,
      retryStrategy: null,
      connectTimeout: CONNECT_TIMEOUT_MS,
    });
    redis.on('error', () => {}); // reported by connect() and ping()
    try {
      await redis.connect();
      await redis.ping();
    } finally {
      redis.disconnect();
    }
  });
}

/** The databases that are the operator's own must be there. */
export async function checkDatabases(urls: string[], signal: AbortSignal): Promise<void> {
  for (const url of urls) {
    const client = await waitFor(`the database ${new URL(url).pathname.slice(1)}`, signal, () =>
      connect(url),
    );
    await client.end();
  }
}

/** Both schemas, each by its own program. */
export async function migrateDatabases({ directory }: Settings, signal: AbortSignal): Promise<void> {
  await Promise.all(
    ['api/migrate.ts', 'mta/queue/migrate.ts'].map((program) => runProgram(directory, [program], signal)),
  );
}

async function connect(connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => {}); // a lost connection shows in the next query
  await client.connect();
  return client;
}

async function waitFor<T>(name: string, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline)
        throw new StepFailure(`${name} does not answer: ${(error as Error).message}`);
      await sleep(POLL_MS, undefined, { signal });
    }
  }
}
