/** When a delivery is tried again: the schedule of Standard Webhooks, about three days in all (HK-8, HK-9). */

const MINUTE = 60;
const HOUR = 3_600;

/** Wait before each attempt, counted from the failure of the one before. */
export const RETRY_DELAYS_SECONDS: readonly number[] = [
  ...[0, 5, 5 * MINUTE, 30 * MINUTE],
  ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR),
];

/** Each delay by up to this part more or less, so that what failed together does not come back together. */
const JITTER = 0.1;

/** An endpoint may ask for no more than the schedule's own longest step. */
const MAX_RETRY_AFTER_SECONDS = 24 * HOUR;

/**
 * The moment of the next attempt; undefined: there is none.
 * @param attempts that failed so far, 1 or more
 * @param retryAfterSeconds what the endpoint asked for, if it did: never sooner
 */
export function scheduleAttempt({
  attempts,
  now,
  retryAfterSeconds = 0,
  random = Math.random,
  delaysSeconds = RETRY_DELAYS_SECONDS,
}: {
  attempts: number;
  now: Date;
  retryAfterSeconds?: number | undefined;
  random?: () => number;
  delaysSeconds?: readonly number[];
}): Date | undefined {
  const delay = delaysSeconds[attempts];
  if (delay === undefined) return undefined;
  const jittered = delay * (1 + JITTER * (2 * random() - 1));
  return new Date(now.getTime() + Math.max(jittered, retryAfterSeconds) * 1000);
}

/** Seconds or an HTTP date (RFC 9110 10.2.3), capped; undefined where it says nothing sensible. */
export function readRetryAfter(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const seconds = /^\d+$/.test(text) ? Number(text) : (parseHttpDate(text) - now.getTime()) / 1000;
  return seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) : undefined;
}

/** NaN where it is none: `Date.parse` alone would read `-5` as a year. */
function parseHttpDate(text: string): number {
  return /^[A-Z][a-z]{2,8},? .*\d{2}:\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
}
