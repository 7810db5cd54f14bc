/** Taking over what a dead instance had claimed, without waiting for its leases. */
import type pg from 'pg';
import { inTransaction } from '../queue/database.ts';
import { FLOW_COLUMNS, type FlowRow, type QueuedFlow, toQueuedFlow } from '../queue/flow-rows.ts';
import { tryHoldInstance } from '../queue/instance-lock.ts';
import type { RunningQueue } from '../queue/running-queue.ts';
import { countAffected, finishAction, insertAction, type NewAction } from './actions.ts';

const BATCH = 500;

export type Adoption =
  | { ok: true; actionId: number | null; affected: number }
  | { ok: false; reason: 'instance_alive' };

export async function adopt(
  queue: RunningQueue,
  instanceId: string,
  action: NewAction,
  { isDryRun }: { isDryRun: boolean },
): Promise<Adoption> {
  const { pool, claims } = queue;
  if (instanceId === queue.instanceId) return { ok: false, reason: 'instance_alive' };
  const claimed = await countClaims(pool, instanceId);
  if (claimed === undefined) return { ok: false, reason: 'instance_alive' };
  if (isDryRun) return { ok: true, actionId: null, affected: claimed };
  const actionId = await insertAction(pool, action);
  let affected = 0;
  for (;;) {
    const flows = await adoptBatch(pool, instanceId, actionId);
    if (!flows) return { ok: false, reason: 'instance_alive' }; // it has just started again, and returns them itself
    claims.noteQueued(flows);
    affected += flows.length;
    if (flows.length < BATCH) break;
  }
  await finishAction(pool, actionId);
  return { ok: true, actionId, affected };
}

/** Undefined while the instance lives. */
async function countClaims(pool: pg.Pool, instanceId: string): Promise<number | undefined> {
  return inTransaction(pool, async (client) => {
    if (!(await tryHoldInstance(client, instanceId))) return undefined;
    const { rows } = await client.query<{ count: string }>(
      'select count(*) from deliveries where claim_id is not null and claimed_by = $1',
      [instanceId],
    );
    return Number(rows[0]?.count ?? 0);
  });
}

/** Holds the instance's lock meanwhile: its master cannot start in between. */
async function adoptBatch(
  pool: pg.Pool,
  instanceId: string,
  actionId: number,
): Promise<QueuedFlow[] | undefined> {
  return inTransaction(pool, async (client) => {
    if (!(await tryHoldInstance(client, instanceId))) return undefined;
    const { rows } = await client.query<FlowRow>(
      `with orphan as (
         select queue_id, sequence
           from deliveries
          where claim_id is not null and claimed_by = $1
          limit $2
            for update skip locked
       )
       update deliveries d
          set claim_id = null, claimed_by = null, claimed_until = null
         from orphan
        where d.queue_id = orphan.queue_id
          and d.sequence = orphan.sequence
    returning ${FLOW_COLUMNS}`,
      [instanceId, BATCH],
    );
    await countAffected(client, actionId, rows.length);
    return rows.map(toQueuedFlow);
  });
}
