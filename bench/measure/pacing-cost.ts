/**
 * bench/throughput --pacing: the same Postern without and with pacing, run by run, at many sites whose paces allow more
 * than the machine can do. What is left is the work that pacing makes.
 */
import { writeFileSync } from 'node:fs';
import { type Contest, prepareContest } from '../servers/contestants.ts';
import type { UsualOptions } from '../world/options.ts';
import type { Load } from '../world/smtp-source.ts';
import { estimateSeconds } from './estimate.ts';
import { describeMachine, formatMachine } from './machine.ts';
import { createProgress, formatDuration } from './progress.ts';
import { formatLoad, formatSummary, summarizeRuns } from './report.ts';
import { measureRun, type RunResult } from './throughput-run.ts';

/** Each recipient domain of a benchmark has an MX, and so a site, of its own. */
const SITES = 50;
const MESSAGES = 10_000;
const BODY_BYTES = 4096;
const SESSIONS = 20;

export interface PacingCostOptions extends UsualOptions {
  runs: number;
  messages?: number;
  concurrency: number;
}

interface Variant {
  name: 'without' | 'with';
  contest: Contest;
  runs: RunResult[];
}

export function estimatePacingCost(options: PacingCostOptions): number {
  return estimateSeconds([loadOf(options)], ['postern', 'postern'], options.runs);
}

/** Prints the medians and their ratio. @throws when a message is lost, sent twice or not signed */
export async function measurePacingCost(options: PacingCostOptions): Promise<void> {
  const load = loadOf(options);
  const variants: Variant[] = [
    { name: 'without', contest: await prepare(options, false), runs: [] },
    { name: 'with', contest: await prepare(options, true), runs: [] },
  ];
  const machine = await describeMachine(variants[0]?.contest.directory ?? '.', false);
  console.log(formatMachine(machine));
  const seconds = estimatePacingCost(options);
  console.log(`${options.runs * 2} runs of ${load.messages} messages: about ${formatDuration(seconds)}\n`);
  const progress = createProgress(options.runs * 2, seconds);
  for (let run = 1; run <= options.runs; run++) {
    for (const { name, contest, runs } of run % 2 === 1 ? variants : variants.toReversed()) {
      progress.step(`${formatLoad(load)}: ${name} pacing, run ${run} of ${options.runs}`);
      for (const server of contest.servers) runs.push(await measureRun(server, load, contest));
    }
  }
  progress.clear();
  for (const { contest } of variants) await contest.close();
  console.log(formatCost(load, variants));
  if (options.json)
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine, load, variants: variants.map(describe) }, null, 2)}\n`,
    );
}

function loadOf({ messages = MESSAGES }: PacingCostOptions): Load {
  return { messages, bodyBytes: BODY_BYTES, sessions: SESSIONS, destinations: SITES };
}

function prepare({ concurrency, set, directory }: PacingCostOptions, isPaced: boolean): Promise<Contest> {
  return prepareContest({
    names: ['postern'],
    overrides: [
      ...([
        ['mta.connections', concurrency],
        ['mta.maxConnectionsPerDomain', concurrency],
      ] as const),
      ...set,
      ['pacing.enabled', isPaced],
    ],
    concurrency,
    destinations: SITES,
    parent: directory,
  });
}

function formatCost(load: Load, variants: readonly Variant[]): string {
  const medians = variants.map(({ runs }) => summarizeRuns(runs).deliveredPerSecond.median);
  const [without = Number.NaN, withPacing = Number.NaN] = medians;
  return [
    formatLoad(load),
    ...variants.map(({ name, runs }) => {
      const { deliveredPerSecond, cpuMs, othersShare } = summarizeRuns(runs);
      const cpu = `master ${cpuMs.master?.median.toFixed(2)}, redis ${cpuMs.redis?.median.toFixed(2)}`;
      const others = `others used ${(othersShare.median * 100).toFixed(0)} % of the machine`;
      return `  ${name.padEnd(8)} end to end/s ${formatSummary(deliveredPerSecond)} CPU ms a message: ${cpu}; ${others}`;
    }),
    `  medians, with by without: ${(withPacing / without).toFixed(3)}`,
  ].join('\n');
}

function describe({ name, runs }: Variant): object {
  return { name, runs, summary: summarizeRuns(runs) };
}
