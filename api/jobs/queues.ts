/** The queues of pg-boss and their retry schedules. Installed by api/migrate.ts, used by server and worker. */
import type { PgBoss, Queue } from 'pg-boss';
import { schedule } from './schedule.ts';

export const HAND_OVER = 'hand-over';
export const INVALIDATE = 'invalidate';
export const TELL_OWNER = 'tell-owner';
export const BOUNCE_INBOUND = 'bounce-inbound';
export const CANCEL_LATE = 'cancel-late';
export const PLAY_SANDBOX = 'play-sandbox';
export const IMPORT_SUPPRESSIONS = 'import-suppressions';
export const LEARN_SPAM = 'learn-spam';
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
  ...Object.fromEntries(
    Object.entries(schedule).map(([name, { longestSeconds }]) => [
      name,
      { ...scheduled, expireInSeconds: longestSeconds },
    ]),
  ),
};

/** Creates what is missing and brings the options of the rest up to date. */
export async function installQueues(boss: PgBoss): Promise<void> {
  for (const [name, options] of Object.entries(queues)) {
    await boss.createQueue(name, options);
    const { partition: _partition, policy: _policy, ...changeable } = options;
    await boss.updateQueue(name, changeable);
  }
  for (const [name, { cron }] of Object.entries(schedule)) await boss.schedule(name, cron);
}
