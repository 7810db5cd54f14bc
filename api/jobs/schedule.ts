/**
 * Every job that comes by the clock, in one table: when, for how long at most, and whom it tells. Each runs one at a time, on
 * whichever worker takes it; what it did last is in scheduled_runs, in the metrics, and in `postern schedule`.
 */

export const TIDY_STORAGE = 'tidy-storage';
export const CHECK_ADDRESSES = 'check-addresses';
export const PURGE_MESSAGES = 'purge-messages';
export const GUARD_ABUSE = 'guard-abuse';
export const SEND_TLS_REPORTS = 'send-tls-reports';
export const CLEAR_AWAY = 'clear-away';
export const MAKE_PARTITIONS = 'make-partitions';
export const BACK_UP = 'back-up';
export const VERIFY_BACKUP = 'verify-backup';
export const RENEW_CERTIFICATE = 'renew-certificate';

export interface Periodic {
  /** UTC */
  cron: string;
  /** For people */
  about: string;
  /** Then it counts as failed, and may begin anew. */
  longestSeconds: number;
  /** To `schedule.mailTo`: each result, or only the first failure and the first success after it */
  mails: 'results' | 'trouble';
}

const QUARTER_HOUR = 900;
/** The longest that pg-boss waits for a job is a day. */
const HALF_DAY = 43_200;

export type PeriodicJob = keyof typeof schedule;

export const schedule = {
  [TIDY_STORAGE]: {
    cron: '* * * * *',
    about: 'Move sources of ended messages to object storage, and delete what was purged',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [GUARD_ABUSE]: {
    cron: '* * * * *',
    about: 'Judge the mail of each organization, and slow down or suspend',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [CLEAR_AWAY]: {
    cron: '*/10 * * * *',
    about: 'Delete expired keys, suppressions, reports and webhook deliveries, in small batches',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [MAKE_PARTITIONS]: {
    cron: '*/10 * * * *',
    about: 'Make room for the next three million messages',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [PURGE_MESSAGES]: {
    cron: '17 * * * *',
    about: 'Delete mail that is over its retention, in small batches; drop whole partitions',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [CHECK_ADDRESSES]: {
    cron: '41 * * * *',
    about: 'Look up DNS and blocklists of all addresses of the pools, and try port 25',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [SEND_TLS_REPORTS]: {
    cron: '41 * * * *',
    about: 'Send the daily reports about TLS (RFC 8460) that are due',
    longestSeconds: QUARTER_HOUR,
    mails: 'trouble',
  },
  [BACK_UP]: {
    cron: '7 2 * * *',
    about: 'Back both databases up, and delete old backups',
    longestSeconds: HALF_DAY,
    mails: 'results',
  },
  [VERIFY_BACKUP]: {
    cron: '7 4 * * 0',
    about: 'Restore the newest backup into databases made for it, compare, and drop them',
    longestSeconds: HALF_DAY,
    mails: 'results',
  },
  [RENEW_CERTIFICATE]: {
    cron: '23 3 * * *',
    about: 'Renew the certificate by ACME where it ends soon',
    longestSeconds: QUARTER_HOUR,
    mails: 'results',
  },
} as const satisfies Record<string, Periodic>;
