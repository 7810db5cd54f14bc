/** The results of bench/throughput, for people. */
import type { ServerName } from '../servers/contestants.ts';
import type { Load } from '../world/smtp-source.ts';
import { type Summary, summarize } from './statistics.ts';
import type { RunResult } from './throughput-run.ts';

/** The kernel's own work is seldom more than this part of the machine. */
const NOISE = 0.1;

/** One kind of load, and the runs of each mail server under it. */
export interface Cell {
  load: Load;
  runs: Partial<Record<ServerName, RunResult[]>>;
}

export interface CellSummary {
  acceptedPerSecond: Summary;
  deliveredPerSecond: Summary;
  connections: Summary;
  cpuMs: Record<string, Summary>;
  othersShare: Summary;
}

/** Medians over the runs. */
export function summarizeRuns(runs: readonly RunResult[]): CellSummary {
  const names = Object.keys(runs[0]?.cpuMs ?? {});
  const over = (value: (run: RunResult) => number) => summarize(runs.map(value));
  return {
    acceptedPerSecond: over((run) => run.acceptedPerSecond),
    deliveredPerSecond: over((run) => run.deliveredPerSecond),
    connections: over((run) => run.connections),
    othersShare: over((run) => run.othersShare),
    cpuMs: Object.fromEntries(names.map((name) => [name, over((run) => run.cpuMs[name] ?? 0)])),
  };
}

/** Postern's median end to end by Postfix'; undefined where one of them was not measured. */
export function ratioToPostfix({ runs }: Cell): number | undefined {
  if (!runs.postern?.length || !runs.postfix?.length) return undefined;
  return (
    summarizeRuns(runs.postern).deliveredPerSecond.median /
    summarizeRuns(runs.postfix).deliveredPerSecond.median
  );
}

export function formatCell(cell: Cell): string {
  const lines = [formatLoad(cell.load)];
  for (const [name, runs] of Object.entries(cell.runs)) {
    if (runs.length > 0) lines.push(...formatServer(name, summarizeRuns(runs)));
  }
  const ratio = ratioToPostfix(cell);
  if (ratio !== undefined) lines.push(`  end to end, postern by postfix: ${ratio.toFixed(2)}`);
  return lines.join('\n');
}

export function formatLoad({ bodyBytes, sessions, destinations }: Load): string {
  return `${formatBytes(bodyBytes)}, ${count(sessions, 'session')}, ${count(destinations, 'destination')}`;
}

function formatServer(name: string, summary: CellSummary): string[] {
  const { total, ...parts } = summary.cpuMs;
  const cpu = Object.entries(parts).map(([part, { median }]) => `${part} ${median.toFixed(2)}`);
  return [
    `  ${name.padEnd(8)} accepted/s ${formatSummary(summary.acceptedPerSecond)}` +
      `  end to end/s ${formatSummary(summary.deliveredPerSecond)}` +
      `  connections ${summary.connections.median}`,
    `           CPU ms a message: ${total?.median.toFixed(2)} (${cpu.join(', ')})`,
    ...(summary.othersShare.max > NOISE
      ? [
          `           others used ${percent(summary.othersShare.median)} of the machine: measure again when it is idle`,
        ]
      : []),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** `246 (240 to 251)` */
export function formatSummary({ median, min, max }: Summary): string {
  return `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`.padEnd(20);
}

function formatBytes(bytes: number): string {
  return bytes % 1024 === 0 ? `${bytes / 1024} KB` : `${bytes} bytes`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
