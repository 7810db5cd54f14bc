/** Latencies of many messages in a few figures. */
import { percentile } from './statistics.ts';

const SHARES = { p50: 0.5, p90: 0.9, p99: 0.99, max: 1 } as const;

/** Milliseconds, by name of the percentile. */
export type LatencySummary = Record<keyof typeof SHARES, number>;

export function summarizeLatencies(latenciesMs: readonly number[]): LatencySummary {
  const { p50, p90, p99, max } = SHARES;
  const at = (share: number) => percentile(latenciesMs, share);
  return { p50: at(p50), p90: at(p90), p99: at(p99), max: at(max) };
}

export function formatLatencies(summary: LatencySummary): string {
  return Object.entries(summary)
    .map(([name, ms]) => `${name} ${ms.toFixed(1)} ms`)
    .join('   ');
}
