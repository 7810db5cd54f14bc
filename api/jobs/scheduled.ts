/** Jobs that come by the clock (queues.ts): one of a kind at a time, on whichever worker takes it. */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store } from '../database.ts';
import { openObjectStore } from '../storage/object-store.ts';
import { checkAddresses } from './check-addresses.ts';
import { guardAbuse } from './guard-abuse.ts';
import { purgeAll } from './purge-messages.ts';
import { CHECK_ADDRESSES, GUARD_ABUSE, PURGE_MESSAGES, SEND_TLS_REPORTS, TIDY_STORAGE } from './queues.ts';
import { sendTlsReports } from './send-tls-reports.ts';
import { tidyStorage } from './tidy-storage.ts';

const polling = {
  pollingIntervalSeconds: 1,
  notifyPollingIntervalSeconds: 1,
  heartbeatRefreshSeconds: 3,
} as const;

/** What fails is logged, and done again when the clock says so. */
export async function workScheduled(store: Store, settings: Settings, log: Logger): Promise<void> {
  const context = { store, pool: store.pool, objects: openObjectStore(settings), settings, log };
  const jobs = {
    [TIDY_STORAGE]: tidyStorage,
    [PURGE_MESSAGES]: purgeAll,
    [GUARD_ABUSE]: guardAbuse,
    [CHECK_ADDRESSES]: checkAddresses,
    [SEND_TLS_REPORTS]: sendTlsReports,
  };
  for (const [job, run] of Object.entries(jobs)) {
    await store.boss.work(job, polling, () =>
      run(context).catch((err: unknown) => log.warn({ err, job }, 'job.failed')),
    );
  }
}
