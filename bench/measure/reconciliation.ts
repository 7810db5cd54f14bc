/** What became of the messages of bench/crash: each number that was accepted against what came out. */
import type { Arrival } from '../world/arrivals.ts';

/** A process that was killed, and what was in flight until it was dead: at the sink, but not reported as delivered. */
export interface Kill {
  role: string;
  inFlight: ReadonlySet<number>;
}

export interface Reconciliation {
  accepted: number;
  arrived: number;
  /** Accepted, and neither at the sink nor in the queue. Must be 0. */
  lost: number[];
  /** Accepted, not at the sink, still in the queue. */
  queued: number[];
  /** Came more than once, and was in flight at a kill: SMTP cannot know better (RFC 1047). */
  duplicatedInFlight: number[];
  /** Came more than once for no such reason. Must be 0. */
  duplicatedOtherwise: number[];
  /** Came to the sink, and the api was never told. Must be 0. */
  unreported: number[];
}

export function reconcile(facts: {
  accepted: ReadonlySet<number>;
  arrivals: ReadonlyMap<number, Arrival>;
  queued: ReadonlySet<number>;
  reported: ReadonlySet<number>;
  kills: readonly Kill[];
}): Reconciliation {
  const { accepted, arrivals, queued, reported, kills } = facts;
  const missing = [...accepted].filter((number) => !arrivals.has(number));
  const repeated = [...arrivals].filter(([, { copies }]) => copies > 1).map(([number]) => number);
  const wasInFlight = (number: number) => kills.some(({ inFlight }) => inFlight.has(number));
  return {
    accepted: accepted.size,
    arrived: arrivals.size,
    lost: missing.filter((number) => !queued.has(number)),
    queued: missing.filter((number) => queued.has(number)),
    duplicatedInFlight: repeated.filter(wasInFlight),
    duplicatedOtherwise: repeated.filter((number) => !wasInFlight(number)),
    unreported: [...arrivals.keys()].filter((number) => accepted.has(number) && !reported.has(number)),
  };
}

/** Promises 1 and 4 of the design hold. */
export function isSound(result: Reconciliation): boolean {
  return [result.lost, result.queued, result.duplicatedOtherwise, result.unreported].every(
    (numbers) => numbers.length === 0,
  );
}
