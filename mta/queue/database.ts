/** The queue's Postgres: a pool a process, and what is done when it does not answer. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const CONNECT_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 15_000;
/** The client notices by itself when the server is gone without a word. */
const SILENCE_MS = 1_000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

/** Classes and codes of SQLSTATE that another try may cure: connection, resources, shutdown, conflicts. */
const TRANSIENT_STATES = /^(08|53|57P|57014|40001|40P01|55P03|25006)/;

export interface QueueDatabaseOptions {
  url: string;
  maxConnections: number;
  applicationName: string;
  /** Of one statement */
  statementTimeoutMs?: number;
}

export function createPool({
  url,
  maxConnections,
  applicationName,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
}: QueueDatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_MS,
    keepAlive: true,
  });
  // Without listeners a connection that breaks would end the process. An idle one is replaced at its next use; one
  // that is in use fails the statement that is under way, or the next one.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

function ignore(): void {}

/** Runs `work` in one transaction. */
export async function inTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    client.release();
    return result;
  } catch (error) {
    // A connection in an unknown state is not given back to the pool: its transaction ends with it.
    client.release(true);
    throw error;
  }
}

/** True when the same call may succeed later, without a change of ours. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: string }).code;
  if (code === undefined) return /timeout|terminated|not queryable|ended/i.test(error.message);
  return TRANSIENT_STATES.test(code) || /^E[A-Z]+$/.test(code);
}

/** Tries until it succeeds; only what another try cannot cure is thrown. Waits 50 ms, then twice as long up to 2 s. */
export async function retryTransient<T>(
  work: () => Promise<T>,
  onFailure: (error: unknown, attempt: number) => void,
): Promise<T> {
  for (let attempt = 1, waitMs = FIRST_RETRY_MS; ; attempt++, waitMs = Math.min(waitMs * 2, LAST_RETRY_MS)) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error)) throw error;
      onFailure(error, attempt);
      await sleep(waitMs);
    }
  }
}
