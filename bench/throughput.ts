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
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { estimateSeconds } from './measure/estimate.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { type Cell, formatCell, formatLoad, ratioToPostfix, summarizeRuns } from './measure/report.ts';
import { measureRun } from './measure/throughput-run.ts';
import { createInstallation, type Override } from './servers/installation.ts';
import type { MailServer } from './servers/mail-server.ts';
import { createPostern, type Postern } from './servers/postern.ts';
import { createPostfix } from './servers/postfix.ts';
import { ensurePostfix, findPostfixAccount } from './servers/postfix-package.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { readList, readOverride } from './world/options.ts';
import { createSigningKey } from './world/signature.ts';
import type { Load } from './world/smtp-source.ts';

interface Options {
  runs: number;
  messages?: number;
  only?: MailServer['name'];
  body: number[];
  sessions: number[];
  destinations: number[];
  concurrency: number;
  set: Override[];
  cpuProf?: string;
  json?: string;
  directory?: string;
}

const options = readOptions();
const cells = listLoads(options).map((load): Cell => ({ load, runs: {} }));
const names = (['postern', 'postfix'] as const).filter((name) => !options.only || options.only === name);

await ensurePostfix(); // smtp-source comes with it
const directory = makeDirectory(options.directory);
const privateKey = createSigningKey();
const [sinkPort = 0, postfixPort = 0, milterPort = 0] = await findFreePorts(3);
const servers: MailServer[] = [];
let postern: Postern | undefined;

const machine = await describeMachine(directory, names.includes('postfix'));
console.log(formatMachine(machine));
const estimate = estimateSeconds(
  cells.map(({ load }) => load),
  names,
  options.runs,
);
console.log(
  `${cells.length} kind(s) of load, ${options.runs} run(s) each: about ${formatDuration(estimate)}\n`,
);

if (names.includes('postern')) {
  const settings = await createInstallation(join(directory, 'postern'), { sinkPort, overrides: options.set });
  const profileDirectory = options.cpuProf === undefined ? undefined : resolve(options.cpuProf);
  postern = await createPostern({ settings, privateKey, profileDirectory });
  servers.push(postern);
}
if (names.includes('postfix')) {
  servers.push(
    createPostfix({
      directory: join(directory, 'postfix'),
      ...{ intakePort: postfixPort, milterPort, sinkPort, privateKey },
      concurrency: options.concurrency,
      destinations: Math.max(...options.destinations),
      account: await findPostfixAccount(),
    }),
  );
}

const progress = createProgress(cells.length * options.runs * servers.length, estimate);
for (const cell of cells) {
  for (let run = 1; run <= options.runs; run++) {
    for (const server of servers) {
      progress.step(`${formatLoad(cell.load)}: ${server.name}, run ${run} of ${options.runs}`);
      const result = await measureRun(server, cell.load, { directory, sinkPort, privateKey });
      cell.runs[server.name] = [...(cell.runs[server.name] ?? []), result];
    }
  }
  progress.clear();
  console.log(formatCell(cell));
}
await postern?.close();
if (options.json) writeFileSync(options.json, `${JSON.stringify(describeAll(), null, 2)}\n`);

function describeAll(): object {
  const described = cells.map((cell) => ({
    ...cell,
    summary: Object.fromEntries(Object.entries(cell.runs).map(([name, runs]) => [name, summarizeRuns(runs)])),
    ratioToPostfix: ratioToPostfix(cell) ?? null,
  }));
  return { machine, overrides: options.set, postfixConcurrency: options.concurrency, cells: described };
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

function readOptions(): Options {
  const program: Command = new Command('bench/throughput')
    .description('Messages a second that Postern and Postfix accept and deliver, side by side.')
    .option('--runs <number>', 'runs of each; the median counts', Number, 5)
    .option(
      '--messages <number>',
      'messages a run (default: 4000; 1000 of large ones; a quarter with one session)',
      Number,
    )
    .addOption(new Option('--only <server>', 'measure one of them').choices(['postern', 'postfix']))
    .option('--body <bytes,…>', 'sizes of the body', readList, [4096, 102_400])
    .option('--sessions <number,…>', 'connections of the source at a time', readList, [1, 20])
    .option('--destinations <number,…>', 'recipient domains', readList, [1, 200])
    .option('--concurrency <number>', "Postfix' deliveries at a time", Number, 20)
    .option('--set <section.key=value>', 'a setting of Postern, in JSON; repeatable', readOverride, [
      ['mta.maxConnectionsPerDomain', 20],
    ])
    .option('--cpu-prof <directory>', "write CPU profiles of the mta's processes there")
    .option('--json <file>', 'write everything measured there')
    .option('--directory <path>', 'where queues and databases lie: decides which disk is measured')
    .addHelpText(
      'after',
      () => `\nTakes about ${formatDuration(defaultEstimate(program.opts<Options>()))} with these options.`,
    );
  program.parse();
  return program.opts<Options>();
}

function defaultEstimate(given: Options): number {
  return estimateSeconds(listLoads(given), given.only ? [given.only] : ['postern', 'postfix'], given.runs);
}
