/** A verb on what a selector names: counted only, or written to the audit and done. */
import type { RunningQueue } from '../queue/running-queue.ts';
import { createTarget, type Selector } from '../queue/selector.ts';
import { insertAction, type NewAction } from './actions.ts';
import type { Outcome } from './schemas.ts';
import { countSelected, sweep, type Verb } from './sweep.ts';

export async function operate(
  queue: RunningQueue,
  verb: Verb,
  { selector, dryRun, ...action }: NewAction & { selector: Selector; dryRun: boolean },
): Promise<Outcome> {
  const target = createTarget(selector, new Date());
  if (dryRun) return { actionId: null, dryRun, ...(await countSelected(queue, target, verb)) };
  const actionId = await insertAction(queue.pool, { ...action, selector });
  queue.log.info({ actionId, ...action, selector }, `queue.${action.verb}`);
  const counts = await sweep(queue, actionId, target, verb);
  return { actionId, dryRun, ...counts };
}
