/** When a deferred delivery is tried again. */

/** Attempts of mail that was deferred together are spread by up to a tenth of the delay. */
const JITTER = 0.1;

/**
 * @param deferrals how often it has been deferred before this time
 * @returns the moment of the next attempt, or undefined when the message will have expired by then
 */
export function nextAttemptAt(
  { deferrals, expiresAt, now }: { deferrals: number; expiresAt: number; now: number },
  retryDelaysSeconds: readonly number[],
  random: () => number = Math.random,
): Date | undefined {
  const delay = retryDelaysSeconds[Math.min(deferrals, retryDelaysSeconds.length - 1)] ?? 0;
  const next = now + delay * 1000 * (1 + random() * JITTER);
  return next < expiresAt ? new Date(next) : undefined;
}
