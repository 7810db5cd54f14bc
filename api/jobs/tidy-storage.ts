/**
 * Each minute: deletes from object storage what was purged, and moves there what has ended. Killed at any point it loses
 * nothing; the next run goes on (storage/move-sources.ts). Where no storage is configured, sources stay where they are.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import type { Pool } from '../database.ts';
import { moveSources } from '../storage/move-sources.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { removeObjects } from '../storage/remove-objects.ts';

/** The job comes each minute. */
const RUN_MS = 50_000;

export interface TidyContext {
  pool: Pool;
  objects: ObjectStore | undefined;
  settings: Pick<Settings, 'storage'>;
  log: Logger;
}

/** @throws while the storage is out of reach */
export async function tidyStorage({ pool, objects, settings, log }: TidyContext): Promise<void> {
  if (!objects) return;
  const deadline = performance.now() + RUN_MS;
  const removed = await removeObjects(pool, objects, deadline);
  if (removed > 0) log.info({ removed }, 'objects.removed');
  const { moved, failures } = await moveSources({
    pool,
    objects,
    deadline,
    endedBeforeSeconds: settings.storage.moveAfterSeconds,
  });
  if (moved > 0) log.info({ moved }, 'sources.moved');
  for (const err of failures) log.warn({ err }, 'source.not_moved');
}
