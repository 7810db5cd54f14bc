/** A sender that never runs out of mail, against a provider with hidden limits, under one policy of pacing. */
import { type Bound, fall, type Pace, rise, startPace } from '../../lib/pacing/controller.ts';
import type { PaceRule } from '../../lib/sites.ts';
import { type HiddenLimits, LimitingProvider } from '../world/limiting-provider.ts';

const TICK_MS = 10;
const DELIVERY_MS = 200;
export const SAMPLE_MS = 10_000;
const LIMITED = { class: 'rate-limited', action: 'slow-down' } as const;

export type Policy = 'adaptive' | 'fixed';

export interface Sample {
  /** ms since the start, of its end */
  at: number;
  /** Deliveries that could have been taken */
  possible: number;
  taken: number;
  refused: number;
}

export interface PacingRun {
  phases: readonly HiddenLimits[];
  rule: PaceRule;
  policy: Policy;
  durationMs: number;
}

interface UnderWay {
  endsAt: number;
  startedAt: number;
  isTaken: boolean;
}

export function runPacing({ phases, rule, policy, durationMs }: PacingRun): Sample[] {
  const provider = new LimitingProvider(phases);
  const samples: Sample[] = [];
  let pace: Pace = startPace(rule, 0);
  let bound: Bound = { concurrency: false, rate: false };
  let underWay: UnderWay[] = [];
  let tokens = 0;
  let sample: Sample = { at: SAMPLE_MS, possible: 0, taken: 0, refused: 0 };
  for (let now = 0; now < durationMs; now += TICK_MS) {
    const [ended, rest] = partition(underWay, ({ endsAt }) => endsAt <= now);
    underWay = rest;
    for (const { isTaken, startedAt } of ended) {
      provider.end();
      sample[isTaken ? 'taken' : 'refused']++;
      if (!isTaken && policy === 'adaptive')
        pace = fall(pace, rule, { verdict: LIMITED, startedAt, bound, now })?.pace ?? pace;
    }
    if (policy === 'adaptive') pace = rise(pace, rule, bound, now)?.pace ?? pace;
    tokens = Math.min(1 + (pace.rate * TICK_MS) / 1000, tokens + (pace.rate * TICK_MS) / 1000);
    while (tokens >= 1 && underWay.length < Math.floor(pace.concurrency)) {
      tokens--;
      underWay.push({ startedAt: now, endsAt: now + DELIVERY_MS, isTaken: provider.begin(now) });
    }
    bound = { rate: tokens < 1, concurrency: tokens >= 1 };
    sample.possible += (possibleRate(provider.limitsAt(now)) * TICK_MS) / 1000;
    if (now + TICK_MS < sample.at) continue;
    samples.push(sample);
    sample = { at: sample.at + SAMPLE_MS, possible: 0, taken: 0, refused: 0 };
  }
  return samples;
}

function possibleRate({ ratePerSecond, connections }: HiddenLimits): number {
  return Math.min(ratePerSecond, (connections * 1000) / DELIVERY_MS);
}

export interface PacingSummary {
  /** Of what the provider would have taken */
  throughput: number;
  /** Of the attempts */
  refused: number;
}

export function summarizePacing(samples: readonly Sample[]): PacingSummary {
  const sum = (key: 'possible' | 'taken' | 'refused') => samples.reduce((total, one) => total + one[key], 0);
  return {
    throughput: sum('taken') / sum('possible'),
    refused: sum('refused') / Math.max(1, sum('taken') + sum('refused')),
  };
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
