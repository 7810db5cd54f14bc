/** The queues of pg-boss and their retry schedules. Installed by api/migrate.ts, used by server and worker. */
import type { PgBoss, Queue } from 'pg-boss';

export const HAND_OVER = 'hand-over';
export const INVALIDATE = 'invalidate';
export const TELL_OWNER = 'tell-owner';
export const BOUNCE_INBOUND = 'bounce-inbound';
export const CANCEL_LATE = 'cancel-late';
export const PLAY_SANDBOX = 'play-sandbox';
export const IMPORT_SUPPRESSIONS = 'import-suppressions';
export const TIDY_STORAGE = 'tidy-storage';
export const LEARN_SPAM = 'learn-spam';
export const CHECK_ADDRESSES = 'check-addresses';
export const PURGE_MESSAGES = 'purge-messages';
export const GUARD_ABUSE = 'guard-abuse';
export const SEND_TLS_REPORTS = 'send-tls-reports';
export const TELL_ORGANIZATION = 'tell-organization';

const YEAR_SECONDS = 365 * 86_400;

/** Retries after about 1, 2, 4, … 32 s and then every 60 s; giving up is the job's own decision, not pg-boss's. */
const persistent: Omit<Queue, 'name'> = {
  retryLimit: 1_000_000,
  retryDelay: 1,
  retryBackoff: true,
  retryDelayMax: 60,
  // pg-boss deletes a job that nobody ran for this long; mail must outlive any outage of the worker.
  retentionSeconds: 10 * YEAR_SECONDS,
  deleteAfterSeconds: 3_600,
  expireInSeconds: 900,
  // A worker that was killed shows no heartbeat, and its jobs go to another after this time (DU-14).
  heartbeatSeconds: 10,
  notify: true,
};

/** Comes by the clock: one at a time, whichever worker takes it. What fails is done by the next. */
const scheduled: Omit<Queue, 'name'> = {
  policy: 'exclusive',
  retryLimit: 0,
  retentionSeconds: 3_600,
  deleteAfterSeconds: 3_600,
  expireInSeconds: 900,
  heartbeatSeconds: 10,
  notify: true,
};

const queues: Record<string, Omit<Queue, 'name'>> = {
  [HAND_OVER]: { ...persistent, partition: true },
  [INVALIDATE]: persistent,
  [TELL_OWNER]: persistent,
  [BOUNCE_INBOUND]: persistent,
  [TELL_ORGANIZATION]: persistent,
  [CANCEL_LATE]: persistent,
  [PLAY_SANDBOX]: persistent,
  [IMPORT_SUPPRESSIONS]: persistent,
  // About an hour: what rspamd cannot learn it will not learn tomorrow.
  [LEARN_SPAM]: { ...persistent, retryLimit: 60 },
  [TIDY_STORAGE]: scheduled,
  [PURGE_MESSAGES]: scheduled,
  [CHECK_ADDRESSES]: scheduled,
  [GUARD_ABUSE]: scheduled,
  [SEND_TLS_REPORTS]: scheduled,
};

/** When they come (cron, UTC) */
const schedules: Record<string, string> = {
  [TIDY_STORAGE]: '* * * * *',
  [PURGE_MESSAGES]: '17 * * * *',
  [CHECK_ADDRESSES]: '41 * * * *',
  [GUARD_ABUSE]: '* * * * *',
  [SEND_TLS_REPORTS]: '41 * * * *',
};

/** Creates what is missing and brings the options of the rest up to date. */
export async function installQueues(boss: PgBoss): Promise<void> {
  for (const [name, options] of Object.entries(queues)) {
    await boss.createQueue(name, options);
    const { partition: _partition, policy: _policy, ...changeable } = options;
    await boss.updateQueue(name, changeable);
  }
  for (const [name, cron] of Object.entries(schedules)) await boss.schedule(name, cron);
}
