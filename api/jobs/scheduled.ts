/** Jobs that come by the clock (schedule.ts): one of a kind at a time, on whichever worker takes it. */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store } from '../database.ts';
import { type ObjectStore, openObjectStore } from '../storage/object-store.ts';
import { backUp, verifyNewest } from './back-up.ts';
import { checkAddresses } from './check-addresses.ts';
import { guardAbuse } from './guard-abuse.ts';
import { purgeAll } from './purge-messages.ts';
import { renewDaily } from './renew-certificate.ts';
import { runPeriodic } from './run-periodic.ts';
import {
  BACK_UP,
  CHECK_ADDRESSES,
  CLEAR_AWAY,
  GUARD_ABUSE,
  MAKE_PARTITIONS,
  type PeriodicJob,
  PURGE_MESSAGES,
  RENEW_CERTIFICATE,
  SEND_TLS_REPORTS,
  TIDY_STORAGE,
  VERIFY_BACKUP,
} from './schedule.ts';
import { sendTlsReports } from './send-tls-reports.ts';
import { tidyStorage } from './tidy-storage.ts';
import { clearAway, makePartitions } from './upkeep.ts';

export interface PeriodicContext {
  store: Store;
  pool: Store['pool'];
  objects: ObjectStore | undefined;
  settings: Settings;
  log: Logger;
  /** Aborted when the job's time is over */
  signal: AbortSignal;
}

/** @returns what is worth telling an operator, or nothing. @throws what kept it from its work */
export type PeriodicWork = (context: PeriodicContext) => Promise<object | undefined> | Promise<void>;

const works: Record<PeriodicJob, PeriodicWork> = {
  [TIDY_STORAGE]: tidyStorage,
  [GUARD_ABUSE]: guardAbuse,
  [CLEAR_AWAY]: clearAway,
  [MAKE_PARTITIONS]: makePartitions,
  [PURGE_MESSAGES]: purgeAll,
  [CHECK_ADDRESSES]: checkAddresses,
  [SEND_TLS_REPORTS]: sendTlsReports,
  [BACK_UP]: backUp,
  [VERIFY_BACKUP]: verifyNewest,
  [RENEW_CERTIFICATE]: renewDaily,
};

const polling = {
  pollingIntervalSeconds: 1,
  notifyPollingIntervalSeconds: 1,
  heartbeatRefreshSeconds: 3,
} as const;

/** What fails is noted, and done again when the clock says so. */
export async function workScheduled(store: Store, settings: Settings, log: Logger): Promise<void> {
  const shared = { store, pool: store.pool, objects: openObjectStore(settings), settings, log };
  for (const [name, work] of Object.entries(works) as [PeriodicJob, PeriodicWork][]) {
    await store.boss.work(name, polling, async ([job]) => {
      const signal = job?.signal ?? new AbortController().signal;
      await runPeriodic(name, work, { ...shared, signal });
    });
  }
}
