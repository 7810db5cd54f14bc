/**
 * One master an instance. Two with the same instance id would return each other's leases and send mail twice (DU-7),
 * so a master holds a session-level advisory lock for as long as it lives; Postgres drops it with the connection.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../../lib/log.ts';

/** A predecessor may still be shutting down. */
const WAIT_MS = 20_000;
const TRY_EVERY_MS = 500;
const ANSWER_TIMEOUT_MS = 5_000;
/** Postgres drops the session of a host that vanished, and its lock, after 11 s: sooner than a successor gives up. */
const KEEP_ALIVE =
  'set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3';
const NAMESPACE = 7_013;

export interface InstanceOptions {
  url: string;
  instanceId: string;
  log: Logger;
}

/** @throws when another master of this instance stays alive */
export async function holdInstance(options: InstanceOptions, waitMs = WAIT_MS): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: options.url,
    application_name: 'postern-mta-lock',
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
  });
  let isHeld = false;
  // A connection that breaks may say so twice (the server's last words, then its end): listen for as long as it lives.
  client.on('error', (error) => {
    if (!isHeld) return; // shows in the query that is under way
    isHeld = false;
    options.log.warn({ err: error }, 'instance.lock_lost');
    void regain(options);
  });
  try {
    await client.connect();
    await client.query(KEEP_ALIVE);
    await waitForLock(client, options, waitMs);
  } catch (error) {
    void client.end(); // a try that is given up must not get the lock after all
    throw error;
  }
  isHeld = true;
  return client;
}

async function waitForLock(client: pg.Client, options: InstanceOptions, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs;
  while (!(await tryLock(client, options.instanceId))) {
    if (performance.now() > deadline) {
      throw new Error(`another mta runs as instance "${options.instanceId}"`);
    }
    options.log.warn({ instanceId: options.instanceId }, 'instance.waiting_for_predecessor');
    await sleep(TRY_EVERY_MS);
  }
}

/** The database was restarted. Whoever takes the lock meanwhile is the master; then this one has to end. */
async function regain(options: InstanceOptions): Promise<void> {
  for (;;) {
    try {
      await holdInstance(options);
      options.log.info('instance.lock_regained');
      return;
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('another mta')) {
        options.log.fatal({ err: error }, 'instance.lock_taken');
        process.exit(1);
      }
      await sleep(TRY_EVERY_MS);
    }
  }
}

/**
 * Keeps a master of the instance from starting until the transaction ends: its claims may be taken over meanwhile.
 * @returns false while one is alive
 */
export async function tryHoldInstance(client: pg.ClientBase, instanceId: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_xact_lock($1, hashtext($2)) as locked',
    [NAMESPACE, instanceId],
  );
  return rows[0]?.locked ?? false;
}

async function tryLock(client: pg.Client, instanceId: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    'select pg_try_advisory_lock($1, hashtext($2)) as locked',
    [NAMESPACE, instanceId],
  );
  return rows[0]?.locked ?? false;
}
