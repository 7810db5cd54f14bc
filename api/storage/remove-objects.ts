/** Deletes from object storage what was purged. Run again after a crash, it deletes what is gone already: no harm. */
import type { Pool } from '../database.ts';
import { finishRemovals, listRemovals } from '../models/object-removal.ts';
import { inTurns } from './in-turns.ts';
import type { ObjectStore } from './object-store.ts';

const BATCH = 100;
const REMOVALS_AT_A_TIME = 10;

/**
 * @param deadline no batch begins after it; milliseconds of performance.now()
 * @returns how many are gone
 * @throws when one could not be removed; those that could are noted
 */
export async function removeObjects(pool: Pool, objects: ObjectStore, deadline: number): Promise<number> {
  let removed = 0;
  while (performance.now() < deadline) {
    const keys = await listRemovals(pool, BATCH);
    if (keys.length === 0) break;
    const results = await inTurns(keys, REMOVALS_AT_A_TIME, (key) => objects.remove(key));
    const gone = keys.filter((_, index) => results[index]?.status === 'fulfilled');
    await finishRemovals(pool, gone);
    removed += gone.length;
    const failure = results.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
  }
  return removed;
}
