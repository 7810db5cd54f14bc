/** bench/throughput: Postern beside Postfix with OpenDKIM, load by load. */
import { writeFileSync } from 'node:fs';
import { type Contest, prepareContest, type ServerName } from '../servers/contestants.ts';
import type { UsualOptions } from '../world/options.ts';
import type { Load } from '../world/smtp-source.ts';
import { estimateSeconds } from './estimate.ts';
import { describeMachine, formatMachine } from './machine.ts';
import { createProgress, formatDuration } from './progress.ts';
import { type Cell, formatCell, formatLoad, ratioToPostfix, summarizeRuns } from './report.ts';
import { measureRun } from './throughput-run.ts';

export interface ComparisonOptions extends UsualOptions {
  runs: number;
  messages?: number;
  only?: ServerName;
  body: number[];
  sessions: number[];
  destinations: number[];
  concurrency: number;
  cpuProf?: string;
}

export function estimateComparison(options: ComparisonOptions): number {
  return estimateSeconds(listLoads(options), listNames(options), options.runs);
}

/** Prints medians and ratios. @throws when a message is lost, sent twice or not signed */
export async function measureBesidePostfix(options: ComparisonOptions): Promise<void> {
  const { concurrency, runs } = options;
  const contest = await prepareContest({
    names: listNames(options),
    overrides: [
      ['mta.connections', concurrency],
      ['mta.maxConnectionsPerDomain', concurrency],
      ...options.set,
    ],
    concurrency,
    destinations: Math.max(...options.destinations),
    parent: options.directory,
    profileDirectory: options.cpuProf,
  });
  const machine = await describeMachine(contest.directory, listNames(options).includes('postfix'));
  console.log(formatMachine(machine));
  const loads = listLoads(options);
  const steps = loads.length * runs * contest.servers.length;
  const seconds = estimateComparison(options);
  console.log(`${steps} runs: about ${formatDuration(seconds)}\n`);

  const progress = createProgress(steps, seconds);
  const cells: Cell[] = [];
  for (const load of loads) {
    const cell = await measureCell(load, runs, contest, progress.step);
    cells.push(cell);
    progress.clear();
    console.log(formatCell(cell));
  }
  await contest.close();
  if (!options.json) return;
  const described = { machine, concurrency, overrides: options.set, cells: cells.map(describeCell) };
  writeFileSync(options.json, `${JSON.stringify(described, null, 2)}\n`);
}

/** The servers take turns: what else the machine does in the meantime hits both. */
async function measureCell(
  load: Load,
  runs: number,
  contest: Contest,
  step: (text: string) => void,
): Promise<Cell> {
  const cell: Cell = { load, runs: {} };
  for (let run = 1; run <= runs; run++) {
    for (const server of contest.servers) {
      step(`${formatLoad(load)}: ${server.name}, run ${run} of ${runs}`);
      const result = await measureRun(server, load, contest);
      cell.runs[server.name] = [...(cell.runs[server.name] ?? []), result];
    }
  }
  return cell;
}

function describeCell(cell: Cell): object {
  return {
    ...cell,
    summary: Object.fromEntries(Object.entries(cell.runs).map(([name, runs]) => [name, summarizeRuns(runs)])),
    ratioToPostfix: ratioToPostfix(cell) ?? null,
  };
}

function listNames({ only }: ComparisonOptions): readonly ServerName[] {
  return only ? [only] : ['postern', 'postfix'];
}

/** Every combination. A single session is as slow as the disk's fsync: a quarter of the messages will do. */
function listLoads({ messages, body, sessions, destinations }: ComparisonOptions): Load[] {
  return body.flatMap((bodyBytes) =>
    sessions.flatMap((sessionCount) =>
      destinations.map((destinationCount) => ({
        messages: messages ?? (bodyBytes > 20_000 ? 1_000 : 4_000) / (sessionCount === 1 ? 4 : 1),
        bodyBytes,
        sessions: sessionCount,
        destinations: destinationCount,
      })),
    ),
  );
}
