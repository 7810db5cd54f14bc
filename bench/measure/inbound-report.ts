/** The results of bench/inbound, for people. */
import type { ServerName } from '../servers/contestants.ts';
import type { InboundRun } from './inbound-run.ts';
import type { LatencySummary } from './latency-summary.ts';
import { formatSummary } from './report.ts';
import { summarize } from './statistics.ts';

export type InboundRuns = Partial<Record<ServerName, InboundRun[]>>;

/** Medians over the runs. */
export function formatInbound(all: InboundRuns): string {
  const lines = Object.entries(all).flatMap(([name, runs]) => formatServer(name, runs));
  const ratio = ratioToPostfix(all);
  return [...lines, ...(ratio === undefined ? [] : [`postern by postfix: ${ratio.toFixed(2)}`])].join('\n');
}

/** Postern's median a second by Postfix'; undefined where one of them was not measured. */
export function ratioToPostfix({ postern, postfix }: InboundRuns): number | undefined {
  if (!postern?.length || !postfix?.length) return undefined;
  return median(postern, ({ perSecond }) => perSecond) / median(postfix, ({ perSecond }) => perSecond);
}

function formatServer(name: string, runs: readonly InboundRun[]): string[] {
  const at = (share: keyof LatencySummary) =>
    `${share} ${median(runs, ({ latency }) => latency[share]).toFixed(0)} ms`;
  const cpu = Object.keys(runs[0]?.cpuMs ?? {}).map(
    (part) => `${part} ${median(runs, ({ cpuMs }) => cpuMs[part] ?? 0).toFixed(2)}`,
  );
  const others = median(runs, ({ othersShare }) => othersShare);
  return [
    `${name.padEnd(8)} received/s ${formatSummary(summarize(runs.map(({ perSecond }) => perSecond)))}  ` +
      (['p50', 'p90', 'p99', 'max'] as const).map(at).join('   '),
    `         CPU ms a message: ${cpu.join(', ')}; others used ${Math.round(others * 100)} % of the machine`,
    ...(runs.at(-1) ? formatMemory(runs.at(-1)?.memory ?? []) : []),
  ];
}

/** Of the last run: each process at its beginning and at every fifth of it. */
function formatMemory(readings: readonly Record<string, number>[]): string[] {
  const shown = readings.filter((_, index) => index % 2 === 0);
  return Object.keys(readings[0] ?? {}).map((role) => {
    const values = shown.map((reading) => `${Math.round((reading[role] ?? 0) / 1024 ** 2)}`.padStart(4));
    return `         ${role.padEnd(10)} ${values.join(' ')} MB`;
  });
}

function median(runs: readonly InboundRun[], value: (run: InboundRun) => number): number {
  return summarize(runs.map(value)).median;
}
