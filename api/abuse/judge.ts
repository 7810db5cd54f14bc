/** When an organization sends too much that nobody wants: pure, of counts and thresholds. */
import type { Settings } from '../../config/schema.ts';

/** Of recipients, within a window */
export interface Outcomes {
  windowSeconds: number;
  delivered: number;
  /** For good, because of the address */
  bounced: number;
  /** Refused by our own checks, for spam or a virus */
  spam: number;
  complained: number;
}

export interface Standing {
  throttledAt: Date | null;
}

export type Judgement =
  | { action: 'none' }
  | { action: 'recover' }
  | { action: 'throttle' | 'suspend'; reason: string };

interface Excess {
  /** Of the threshold that it passes */
  level: 'throttle' | 'suspend';
  reason: string;
}

/** Throttles first, whatever the rate; who is still too bad after the grace is suspended. @param now milliseconds */
export function judgeAbuse(
  windows: readonly Outcomes[],
  { throttledAt }: Standing,
  abuse: Settings['abuse'],
  now: number,
): Judgement {
  const excesses = windows.flatMap((outcomes) => findExcesses(outcomes, abuse));
  const worst = excesses.find(({ level }) => level === 'suspend') ?? excesses[0];
  if (!throttledAt) return worst ? { action: 'throttle', reason: worst.reason } : { action: 'none' };
  if (!worst) return { action: 'recover' };
  const isGraceOver = now - throttledAt.getTime() >= abuse.graceSeconds * 1000;
  return worst.level === 'suspend' && isGraceOver
    ? { action: 'suspend', reason: worst.reason }
    : { action: 'none' };
}

function findExcesses(outcomes: Outcomes, abuse: Settings['abuse']): Excess[] {
  const { delivered, bounced, spam, complained, windowSeconds } = outcomes;
  const total = delivered + bounced + spam;
  if (total < abuse.minRecipients) return [];
  const kinds = [
    ['spam', spam, total, abuse.spamThrottleRate, abuse.spamSuspendRate],
    ['bounced', bounced, total, abuse.bounceThrottleRate, abuse.bounceSuspendRate],
    [
      'complaints',
      complained,
      Math.max(delivered, 1),
      abuse.complaintThrottleRate,
      abuse.complaintSuspendRate,
    ],
  ] as const;
  return kinds.flatMap(([what, count, of, throttleRate, suspendRate]): Excess[] => {
    const rate = count / of;
    if (count === 0 || rate < throttleRate) return [];
    const level = rate >= suspendRate ? 'suspend' : 'throttle';
    const limit = level === 'suspend' ? suspendRate : throttleRate;
    const hours = windowSeconds / 3600;
    return [
      {
        level,
        reason: `${what}: ${count} of ${of} recipients in ${hours} h (${percent(rate)}, limit ${percent(limit)})`,
      },
    ];
  });
}

function percent(rate: number): string {
  return `${Number((rate * 100).toFixed(2))} %`;
}
