/** Pausing and resuming: the pause stands before the first delivery is marked, so nothing slips through beside it. */

import type pg from 'pg';
import { inTransaction } from '../queue/database.ts';
import { freePaused } from '../queue/pause-ends.ts';
import { insertPause, type Pause } from '../queue/pauses.ts';
import type { RunningQueue } from '../queue/running-queue.ts';
import { createTarget, type Selector } from '../queue/selector.ts';
import { insertAction, recordChange } from './actions.ts';
import type { Outcome } from './schemas.ts';
import { countSelected, sweep } from './sweep.ts';
import { pause as pauseVerb } from './verbs.ts';

export interface PauseRequest {
  selector: Selector;
  reason: string;
  endsAt: Date | null;
  actor: string;
}

export async function countPause(queue: RunningQueue, selector: Selector): Promise<Outcome> {
  const target = createTarget(selector, new Date());
  return { actionId: null, dryRun: true, ...(await countSelected(queue, target, pauseVerb(undefined))) };
}

export async function pause(
  queue: RunningQueue,
  { selector, reason, endsAt, actor }: PauseRequest,
): Promise<Outcome & { pause: Pause }> {
  const created = await inTransaction(queue.pool, async (client) => {
    const inserted = await insertPause(client, { selector, reason, createdBy: actor, endsAt });
    const parameters = { pauseId: inserted.id, ...(endsAt && { endsAt }) };
    const actionId = await insertAction(client, { verb: 'pause', selector, parameters, reason, actor });
    return { pause: inserted, actionId };
  });
  await queue.pauses.refresh();
  queue.log.info({ ...created, reason, actor }, 'queue.pause');
  const counts = await sweep(queue, created.actionId, created.pause.target, pauseVerb(created.pause.id));
  return { ...created, dryRun: false, ...counts };
}

/** @returns undefined where there is no such pause */
export async function resume(
  queue: RunningQueue,
  id: number,
  { actor, isDryRun }: { actor: string; isDryRun: boolean },
): Promise<Outcome | undefined> {
  const { pool, pauses, claims, log } = queue;
  await pauses.refresh(); // it may be another instance's
  const found = pauses.active.find((active) => active.id === id);
  if (isDryRun)
    return found && { actionId: null, dryRun: true, affected: await countPaused(pool, id), inAttempt: 0 };
  const action = {
    verb: 'resume',
    selector: found?.selector ?? {},
    parameters: { pauseId: id },
    reason: null,
    actor,
  };
  const resumed = await recordChange(pool, action, async (client) => {
    const { rowCount } = await client.query('delete from queue_pauses where id = $1', [id]);
    if (rowCount === 0) return undefined;
    return { value: id, affected: await countPaused(client, id) };
  });
  if (!resumed) return undefined;
  const { actionId, affected } = resumed;
  log.info({ actionId, pauseId: id, actor }, 'queue.resume');
  await pauses.refresh();
  await freePaused(pool, (flows) => claims.noteQueued(flows));
  return { actionId, dryRun: false, affected, inAttempt: 0 };
}

async function countPaused(db: Pick<pg.ClientBase, 'query'>, id: number): Promise<number> {
  const { rows } = await db.query<{ count: string }>('select count(*) from deliveries where paused_by = $1', [
    id,
  ]);
  return Number(rows[0]?.count ?? 0);
}
