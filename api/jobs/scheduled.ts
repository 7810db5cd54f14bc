/** Jobs that come by the clock (queues.ts): one of a kind at a time, on whichever worker takes it. */
import type { PgBoss } from 'pg-boss';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import type { Pool } from '../database.ts';
import { openObjectStore } from '../storage/object-store.ts';
import { TIDY_STORAGE } from './queues.ts';
import { tidyStorage } from './tidy-storage.ts';

const polling = {
  pollingIntervalSeconds: 1,
  notifyPollingIntervalSeconds: 1,
  heartbeatRefreshSeconds: 3,
} as const;

/** What fails is logged, and done again when the clock says so. */
export async function workScheduled(
  boss: PgBoss,
  pool: Pool,
  settings: Settings,
  log: Logger,
): Promise<void> {
  const context = { pool, objects: openObjectStore(settings), settings, log };
  const jobs = { [TIDY_STORAGE]: tidyStorage };
  for (const [job, run] of Object.entries(jobs)) {
    await boss.work(job, polling, () =>
      run(context).catch((err: unknown) => log.warn({ err, job }, 'job.failed')),
    );
  }
}
