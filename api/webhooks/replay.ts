import type { Queryable } from '../database.ts';
import { type ReplaySelection, replayDeliveries } from '../models/webhook-history.ts';

/** A statement has five seconds. */
const AT_ONCE = 2_000;

/**
 * Replays everything selected, in portions; cut off in between, it is simply done again. What finishes meanwhile stays
 * as it is. @returns how many
 */
export async function replayAll(db: Queryable, selection: ReplaySelection): Promise<number> {
  const finishedBefore = new Date();
  let total = 0;
  for (let count = AT_ONCE; count === AT_ONCE; total += count) {
    count = await replayDeliveries(db, selection, { finishedBefore, limit: AT_ONCE });
  }
  return total;
}
