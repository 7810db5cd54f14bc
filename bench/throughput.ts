/**
 * bench/throughput: how many messages a second the mta takes in and delivers, beside Postfix with OpenDKIM.
 *
 * Same source (smtp-source), same sink (smtp-sink), both sign with RSA-2048, both sync to the same disk. The servers
 * take turns, run by run, and only one of them runs at a time. Every run checks that all messages arrived, once, and
 * that one of them carries a valid signature. docs/bench.md says how to read the numbers.
 *
 * Needs root for Postfix, which is installed from Debian's packages where it is missing. Writes nothing outside a
 * temporary directory; starts nothing that outlives it.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { estimateSeconds } from './measure/estimate.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { estimatePacingCost, measurePacingCost } from './measure/pacing-cost.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { type Cell, formatCell, formatLoad, ratioToPostfix, summarizeRuns } from './measure/report.ts';
import { measureRun } from './measure/throughput-run.ts';
import { prepareContest, type ServerName } from './servers/contestants.ts';
import { addUsualOptions, onlyOption, readCount, readList, type UsualOptions } from './world/options.ts';
import type { Load } from './world/smtp-source.ts';

interface Options extends UsualOptions {
  runs: number;
  messages?: number;
  only?: ServerName;
  body: number[];
  sessions: number[];
  destinations: number[];
  concurrency: number;
  cpuProf?: string;
  pacing?: true;
}

const program = new Command('bench/throughput')
  .description('Messages a second that Postern and Postfix accept and deliver, side by side.')
  .option('--runs <number>', 'runs of each; the median counts', readCount, 5)
  .option(
    '--messages <number>',
    'a run (default: 4000; 1000 large ones; a quarter with one session)',
    readCount,
  )
  .addOption(onlyOption())
  .option('--body <bytes,…>', 'sizes of the body', readList, [4096, 102_400])
  .option('--sessions <number,…>', 'connections of the source at a time', readList, [1, 20])
  .option('--destinations <number,…>', 'recipient domains', readList, [1, 200])
  .option(
    '--concurrency <number>',
    'deliveries at a time, of both, to one destination and in all',
    readCount,
    20,
  )
  .option('--pacing', 'Postern alone, without and with pacing, at 50 sites: what pacing costs')
  .option('--cpu-prof <directory>', "write CPU profiles of the mta's processes there");
addUsualOptions(program, () => formatDuration(estimate(readOptions())));

program.parse();
const options = readOptions();
const { concurrency } = options;
if (options.pacing) {
  await measurePacingCost(options);
  process.exit();
}
const contest = await prepareContest({
  names: listNames(options),
  overrides: [['mta.connections', concurrency], ['mta.maxConnectionsPerDomain', concurrency], ...options.set],
  concurrency,
  destinations: Math.max(...options.destinations),
  parent: options.directory,
  profileDirectory: options.cpuProf,
});
const machine = await describeMachine(contest.directory, listNames(options).includes('postfix'));
console.log(formatMachine(machine));
const cells = listLoads(options).map((load): Cell => ({ load, runs: {} }));
const steps = cells.length * options.runs * contest.servers.length;
console.log(`${steps} runs: about ${formatDuration(estimate(options))}\n`);

const progress = createProgress(steps, estimate(options));
for (const cell of cells) {
  await measureCell(cell);
  progress.clear();
  console.log(formatCell(cell));
}
await contest.close();
if (options.json) writeFileSync(options.json, `${JSON.stringify(describeAll(), null, 2)}\n`);

/** The servers take turns: what else the machine does in the meantime hits both. */
async function measureCell({ load, runs }: Cell): Promise<void> {
  for (let run = 1; run <= options.runs; run++) {
    for (const server of contest.servers) {
      progress.step(`${formatLoad(load)}: ${server.name}, run ${run} of ${options.runs}`);
      const result = await measureRun(server, load, contest);
      runs[server.name] = [...(runs[server.name] ?? []), result];
    }
  }
}

function describeAll(): object {
  const described = cells.map((cell) => ({
    ...cell,
    summary: Object.fromEntries(Object.entries(cell.runs).map(([name, runs]) => [name, summarizeRuns(runs)])),
    ratioToPostfix: ratioToPostfix(cell) ?? null,
  }));
  return { machine, concurrency, overrides: options.set, cells: described };
}

function readOptions(): Options {
  return program.opts<Options>();
}

function listNames({ only }: Options): readonly ServerName[] {
  return only ? [only] : ['postern', 'postfix'];
}

function estimate(given: Options): number {
  if (given.pacing) return estimatePacingCost(given);
  return estimateSeconds(listLoads(given), listNames(given), given.runs);
}

/** Every combination. A single session is as slow as the disk's fsync: a quarter of the messages will do. */
function listLoads({ messages, body, sessions, destinations }: Options): Load[] {
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
