/**
 * The app database: one pool a process, and transactions that carry jobs and cache invalidations with them.
 *
 * Nothing waits without a bound: two seconds for a connection, five for a statement. What cannot be had in that time
 * is answered 503 (promise 6, AP-11).
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { PgBoss } from 'pg-boss';
import type { Settings } from '../config/schema.ts';
import type { Contract, ParamsOf } from '../lib/rpc/contracts/contract.ts';
import type { Invalidator } from '../lib/rpc/invalidation.ts';
import { INVALIDATE } from './jobs/queues.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 5_000;

/** bigint: our ids count rows and stay below 2^53, and the contract wants integers in JSON. */
const INT8 = 20;

export type Pool = pg.Pool;
/** What runs SQL: the pool, or the one connection of a transaction. */
export type Queryable = Pick<pg.Pool, 'query'>;

export interface Store {
  pool: Pool;
  boss: PgBoss;
  invalidator: Invalidator;
}

export interface JobOptions {
  /** UUID to find the job by; of its own making where nothing is said. */
  id?: string;
  /** The higher comes first; 0 where nothing is said. */
  priority?: number;
  startAfter?: Date;
}

export interface Transaction extends Queryable {
  /** A job that exists if, and only if, this transaction commits. */
  enqueue(queue: string, data: object, options?: JobOptions): Promise<void>;
  /** The jobs do not run any more. */
  cancelJobs(queue: string, ids: string[]): Promise<void>;
  /**
   * Makes every service forget its cached answer, at once after the commit; and again by a job, so that a crash
   * between the two cannot keep a revoked token alive (AU-8).
   */
  invalidate<C extends Contract>(contract: C, params: ParamsOf<C>): Promise<void>;
}

export function createPool({ database }: Pick<Settings, 'database'>): Pool {
  const pool = new pg.Pool({
    connectionString: database.url,
    max: database.maxConnections,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'postern',
    types: { getTypeParser: readType },
  });
  // Without listeners a connection that breaks would end the process. The pool drops an idle one, and opens another
  // when asked; one that is in use fails the statement that is under way, or the next one.
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));
  return pool;
}

/** @throws what `work` throws, after a rollback; or the commit's own error, when its outcome is unknown */
export async function inTransaction<T>(store: Store, work: (tx: Transaction) => Promise<T>): Promise<T> {
  const stale: StaleAnswer[] = [];
  const result = await runTransaction(store.pool, async (client) => {
    const tx = openTransaction(store, client, stale);
    const done = await work(tx);
    await tx.insertJobs();
    return done;
  });
  // Redis may be down; the job that was committed does it again.
  await Promise.allSettled(
    stale.map(({ contract, params }) => store.invalidator.invalidate(contract, params)),
  );
  return result;
}

/** Whether the database is out of reach or overloaded, as opposed to a mistake of ours. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as Error & { code?: string };
  if (code !== undefined && UNAVAILABLE_CODES.test(code)) return true;
  return UNAVAILABLE_MESSAGES.test(error.message) || isDatabaseUnavailable(error.cause);
}

/** Node's socket errors; SQLSTATE classes 08 (connection), 53 (resources), 57 (shutdown, time-out), 25P03. */
const UNAVAILABLE_CODES =
  /^(ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|08\w{3}|53\w{3}|57\w{3}|25P03)$/;
/** pg and pg-pool throw these without a code. */
const UNAVAILABLE_MESSAGES =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|timeout expired|not queryable/i;

interface StaleAnswer {
  contract: Contract;
  params: ParamsOf<Contract>;
}

async function runTransaction<T>(pool: Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    broken = isDatabaseUnavailable(error) ? asError(error) : await rollBack(client);
    throw error;
  } finally {
    client.release(broken);
  }
}

/** Undefined, or why the connection is of no use any more; closing it rolls back as well. */
async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return asError(error);
  }
}

interface OpenTransaction extends Transaction {
  /** Of all jobs that were enqueued, a statement for each queue: pg-boss's own is long. */
  insertJobs(): Promise<void>;
}

function openTransaction({ boss }: Store, client: pg.PoolClient, stale: StaleAnswer[]): OpenTransaction {
  const db = { executeSql: (text: string, values?: unknown[]) => runPrepared(client, text, values) };
  const jobs: { queue: string; job: object }[] = [];
  const enqueue = async (queue: string, data: object, options: JobOptions = {}) =>
    void jobs.push({ queue, job: { ...options, data } });
  return {
    query: client.query.bind(client) as Queryable['query'],
    enqueue,
    async insertJobs() {
      for (const [queue, group] of Map.groupBy(jobs, (one) => one.queue)) {
        await boss.insert(
          queue,
          group.map(({ job }) => job),
          { db },
        );
      }
    },
    cancelJobs: async (queue, ids) => void (await boss.cancel(queue, ids, { db })),
    async invalidate(contract, params) {
      await enqueue(INVALIDATE, { contract: contract.name, params });
      stale.push({ contract, params });
    },
  };
}

/** pg-boss's statements are few and long: to plan one costs Postgres more than to run it. */
function runPrepared(client: pg.PoolClient, text: string, values?: unknown[]): Promise<pg.QueryResult> {
  if (values === undefined) return client.query(text); // may be several statements
  const name = statementNames.get(text) ?? createHash('sha256').update(text).digest('base64');
  statementNames.set(text, name);
  return client.query({ name, text, values });
}

const statementNames = new Map<string, string>();

function readType(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (oid === INT8 && format !== 'binary') return Number;
  return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function ignore(): void {}
