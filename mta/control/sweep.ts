/**
 * Works through the deliveries that an operator means, in batches of 500, each in a transaction of its own: a million
 * of them hold up nobody. What is attempted at this moment is left alone; what is claimed but waits in the master's
 * memory is taken out of it for the time.
 */
import type pg from 'pg';
import { inTransaction } from '../queue/database.ts';
import type { QueuedFlow } from '../queue/flow-rows.ts';
import type { ClaimedRow, RowKey } from '../queue/rows.ts';
import type { RunningQueue } from '../queue/running-queue.ts';
import { mayConcern, Parameters, type Target, toCondition } from '../queue/selector.ts';
import { countAffected, finishAction } from './actions.ts';

const BATCH = 500;

export interface FoundRow extends RowKey {
  messageId: number;
  recipient: string;
  /** Without an attempt that was counted and has not begun */
  attempts: number;
}

export interface Batch {
  rows: FoundRow[];
  /** Rows claimed under these ids are in nobody's hands. */
  claimIds: string[];
}

export interface Changed {
  count: number;
  /** What is to be announced. */
  flows: QueuedFlow[];
}

export interface Verb {
  /** Of the selected those that it changes, as a condition on `deliveries d`. */
  condition(parameters: Parameters): string;
  change(client: pg.ClientBase, batch: Batch): Promise<Changed>;
}

export interface Counts {
  affected: number;
  inAttempt: number;
}

/** What the verb would change now. */
export async function countSelected(
  { pool, claims, sites }: RunningQueue,
  target: Target,
  verb: Verb,
): Promise<Counts> {
  await sites.write();
  const waiting = [...claims.scheduler.waitingRows()].map((row) => row.claimId);
  return countRows(pool, target, verb, waiting);
}

/** Changes all that are selected when it begins. Every batch is counted in the action as it is committed. */
export async function sweep(
  queue: RunningQueue,
  actionId: number,
  target: Target,
  verb: Verb,
): Promise<Counts> {
  const { pool, claims, sites } = queue;
  await sites.write();
  const siteOf = (domain: string) => claims.scheduler.destinations.siteOf(domain);
  const isConcerned = (row: ClaimedRow) => mayConcern(target, row, siteOf);
  const counts = await claims.withdraw(isConcerned, async (claimIds) => {
    let affected = await passThrough(queue, { actionId, target, verb, claimIds, isSecond: false });
    // Those that came to be claimed in the meantime.
    if (claimIds().length > 0)
      affected += await passThrough(queue, { actionId, target, verb, claimIds, isSecond: true });
    const { inAttempt } = await countRows(pool, target, verb, claimIds());
    return { affected, inAttempt };
  });
  await finishAction(pool, actionId);
  return counts;
}

interface Pass {
  actionId: number;
  target: Target;
  verb: Verb;
  claimIds: () => string[];
  isSecond: boolean;
}

async function passThrough(queue: RunningQueue, pass: Pass): Promise<number> {
  let affected = 0;
  for (let after: RowKey | undefined = { queueId: '', sequence: '' }; after; ) {
    const { count, flows, last } = await changeBatch(queue.pool, pass, after);
    queue.claims.noteQueued(flows);
    affected += count;
    after = last;
  }
  return affected;
}

async function changeBatch(
  pool: pg.Pool,
  { actionId, target, verb, claimIds, isSecond }: Pass,
  after: RowKey,
): Promise<Changed & { last: RowKey | undefined }> {
  return inTransaction(pool, async (client) => {
    const ids = claimIds();
    const rows = await findRows(client, { target, verb, ids, isSecond, after });
    if (rows.length === 0) return { count: 0, flows: [], last: undefined };
    const changed = await verb.change(client, { rows, claimIds: ids });
    await countAffected(client, actionId, changed.count);
    return { ...changed, last: rows.length === BATCH ? rows.at(-1) : undefined };
  });
}

/** In the order of the primary key, from `after` on: no batch looks again at what an earlier one has changed. */
async function findRows(
  client: pg.ClientBase,
  search: { target: Target; verb: Verb; ids: string[]; isSecond: boolean; after: RowKey },
): Promise<FoundRow[]> {
  const { target, verb, ids, isSecond, after } = search;
  const parameters = new Parameters();
  const ours = `d.claim_id = any(${parameters.add(ids)}::bigint[])`;
  const { rows } = await client.query<{
    queue_id: string;
    sequence: string;
    message_id: string;
    recipient: string;
    attempts: number;
  }>(
    `select d.queue_id, d.sequence, d.message_id, d.recipient,
            d.attempts - (d.claim_id is not null)::integer as attempts
       from deliveries d
      where (d.queue_id, d.sequence) > (${parameters.add(after.queueId)}, ${parameters.add(after.sequence)})
        and ${isSecond ? ours : `(d.claim_id is null or ${ours})`}
        and ${toCondition(target, parameters)}
        and ${verb.condition(parameters)}
      order by d.queue_id, d.sequence
      limit ${BATCH}`,
    parameters.values,
  );
  return rows.map((row) => ({
    queueId: row.queue_id,
    sequence: row.sequence,
    messageId: Number(row.message_id),
    recipient: row.recipient,
    attempts: row.attempts,
  }));
}

async function countRows(pool: pg.Pool, target: Target, verb: Verb, ids: string[]): Promise<Counts> {
  const parameters = new Parameters();
  const free = `(d.claim_id is null or d.claim_id = any(${parameters.add(ids)}::bigint[]))`;
  const { rows } = await pool.query<{ affected: string; in_attempt: string }>(
    `select count(*) filter (where ${free} and ${verb.condition(parameters)}) as affected,
            count(*) filter (where not ${free})                               as in_attempt
       from deliveries d
      where ${toCondition(target, parameters)}`,
    parameters.values,
  );
  return { affected: Number(rows[0]?.affected ?? 0), inAttempt: Number(rows[0]?.in_attempt ?? 0) };
}
