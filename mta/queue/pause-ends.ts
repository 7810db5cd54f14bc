/** The ends of pauses: those whose time is over, and the rows that are still marked by one that is gone. */
import type pg from 'pg';
import { FLOW_COLUMNS, type FlowRow, type QueuedFlow, toQueuedFlow } from './flow-rows.ts';

const BATCH = 500;

/** @returns the ids of the pauses that have ended by themselves */
export async function endExpiredPauses(pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query<{ id: string }>(
    'delete from queue_pauses where ends_at <= now() returning id',
  );
  return rows.map((row) => Number(row.id));
}

/**
 * Frees what waits for a pause that is no more: its end, a crash in the middle of one, another instance that marked a
 * row at the same moment.
 * @param onFreed called with every batch @returns how many were freed
 */
export async function freePaused(pool: pg.Pool, onFreed: (flows: QueuedFlow[]) => void): Promise<number> {
  let freed = 0;
  for (const id of await findGonePauses(pool)) {
    for (let flows = await freeBatch(pool, id); flows.length > 0; flows = await freeBatch(pool, id)) {
      freed += flows.length;
      onFreed(flows);
    }
  }
  return freed;
}

/** Steps through the index from pause to pause, however many rows each has. */
async function findGonePauses(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `with recursive pause as (
       select min(paused_by) as id from deliveries where paused_by is not null
        union all
       select (select min(paused_by) from deliveries where paused_by > pause.id) from pause where pause.id is not null
     )
     select id
       from pause
      where id is not null
        and not exists (select from queue_pauses where queue_pauses.id = pause.id)`,
  );
  return rows.map((row) => row.id);
}

async function freeBatch(pool: pg.Pool, id: string): Promise<QueuedFlow[]> {
  const { rows } = await pool.query<FlowRow>(
    `with freed as (
       select queue_id, sequence from deliveries where paused_by = $1 limit $2 for update skip locked
     )
     update deliveries d
        set paused_by = null
       from freed
      where d.queue_id = freed.queue_id
        and d.sequence = freed.sequence
  returning ${FLOW_COLUMNS}`,
    [id, BATCH],
  );
  return rows.map(toQueuedFlow);
}
