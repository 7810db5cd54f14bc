/** Holding statements of the mta at a table, so that a process can be killed while one is under way. */

import { waitFor } from './mail.ts';
import type { TestDatabase } from './postgres.ts';

/** Released at the end of the block that holds it (`await using`), so that a test that fails holds up no other. */
export interface TableLock extends AsyncDisposable {
  /** Backends whose statement contains `part` and waits, longest first, once there are so many. */
  waitForWaiters(part: string, count: number): Promise<number[]>;
  /** Undoes what the backend was about to do. */
  terminate(backend: number): Promise<void>;
  release(): Promise<void>;
}

/** Nobody else writes into the table until the lock is released; reading goes on. */
export async function lockTable({ pool }: TestDatabase, table: string): Promise<TableLock> {
  const client = await pool.connect();
  await client.query('begin');
  await client.query(`lock table ${table} in exclusive mode`);
  let isHeld = true;
  const release = async () => {
    if (!isHeld) return;
    isHeld = false;
    await client.query('rollback');
    client.release();
  };
  return {
    waitForWaiters: (part, count) =>
      waitFor(`${count} statements to wait for ${table}`, async () => {
        const { rows } = await pool.query<{ pid: number }>(
          `select distinct l.pid, a.query_start
             from pg_locks l
             join pg_stat_activity a on a.pid = l.pid
            where not l.granted and l.relation = $1::regclass and position($2 in a.query) > 0
            order by a.query_start`,
          [table, part],
        );
        return rows.length >= count ? rows.map(({ pid }) => pid) : undefined;
      }),
    async terminate(backend) {
      await pool.query('select pg_terminate_backend($1, 5000)', [backend]);
    },
    release,
    [Symbol.asyncDispose]: release,
  };
}
