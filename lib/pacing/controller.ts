/**
 * How fast one source address sends to one site: deliveries at a time and deliveries a second. Both fall by a factor when
 * a reply asks for less, and rise by a step for each clean window in which they were what held mail back, between the
 * floor and the ceiling of the site's rule (config/sites). Pure: no clock, no memory of its own.
 */
import type { PaceRule, Range } from '../sites.ts';

/** Without a refusal, a pace rises after so long. */
export const WINDOW_MS = 10_000;
/** Of the start value, added for each clean window */
const STEP = 1 / 10;
/** Of the first refusal after a clean window, the second in a row, …: a limit that was lowered a lot is found soon. */
const FACTORS_IN_A_ROW = [0.9, 0.8, 0.6, 0.5] as const;
/** A site that blames the address is not asked to bear almost as much of it. */
const BLAMED_FACTOR = 0.5;

export interface Pace {
  /** Deliveries at a time; a fraction is not used yet */
  concurrency: number;
  /** Deliveries started a second */
  rate: number;
  /** Refusals in a row, without a clean window between them */
  falls: number;
  /** ms since the epoch */
  fallenAt: number;
  /** ms since the epoch, when the window began that is clean so far */
  cleanSince: number;
}

/** Which of the two held mail back. */
export interface Bound {
  concurrency: boolean;
  rate: boolean;
}

export interface Refusal {
  /** Of lib/bounces/taxonomy.ts */
  verdict: { class: string; action: string };
  /** ms since the epoch, when the refused delivery was begun */
  startedAt: number;
  bound: Bound;
  /** ms since the epoch */
  now: number;
}

export interface Change {
  pace: Pace;
  /** The class of the reply, or `clean` */
  trigger: string;
}

export function startPace({ concurrency, rate }: PaceRule, now: number): Pace {
  return { concurrency: concurrency.start, rate: rate.start, falls: 0, fallenAt: 0, cleanSince: now };
}

/** What follows from a refusal. Undefined: nothing, as the reply is about something else, or to mail sent before the last fall. */
export function fall(pace: Pace, rule: PaceRule, refusal: Refusal): Change | undefined {
  const { verdict, startedAt, bound, now } = refusal;
  const factor = factorOf(verdict, pace.falls);
  if (factor === undefined || startedAt < pace.fallenAt) return undefined;
  // Where neither held mail back, the site's limit is lower than both.
  const isUnbound = !bound.concurrency && !bound.rate;
  const lower = (value: number, { floor }: Range, isMeant: boolean) =>
    isMeant || isUnbound ? Math.max(floor, value * factor) : value;
  return {
    trigger: verdict.class,
    pace: {
      concurrency: lower(pace.concurrency, rule.concurrency, bound.concurrency),
      rate: lower(pace.rate, rule.rate, bound.rate),
      falls: pace.falls + 1,
      fallenAt: now,
      cleanSince: now,
    },
  };
}

/** What follows from a window without a refusal. Undefined: it has not lasted long enough, or nothing changes. */
export function rise(pace: Pace, rule: PaceRule, bound: Bound, now: number): Change | undefined {
  // A clock that was set back: the window begins anew.
  if (now < pace.cleanSince) return { trigger: 'clean', pace: { ...pace, fallenAt: 0, cleanSince: now } };
  if (now - pace.cleanSince < WINDOW_MS) return undefined;
  const raise = (value: number, { start, ceiling }: Range, isMeant: boolean) =>
    isMeant ? Math.min(ceiling, value + start * STEP) : value;
  return {
    trigger: 'clean',
    pace: {
      ...pace,
      concurrency: raise(pace.concurrency, rule.concurrency, bound.concurrency),
      rate: raise(pace.rate, rule.rate, bound.rate),
      falls: 0,
      cleanSince: now,
    },
  };
}

function factorOf({ class: name, action }: Refusal['verdict'], falls: number): number | undefined {
  if (name === 'reputation-ip') return BLAMED_FACTOR;
  if (action !== 'slow-down') return undefined;
  return FACTORS_IN_A_ROW[Math.min(falls, FACTORS_IN_A_ROW.length - 1)];
}
