/**
 * bench/isolation: what a dead destination with many messages costs the others. Single messages go to a destination
 * that is well: first by themselves; then while many are due to a host that refuses connections; then while that host
 * takes connections and says nothing; and once more when those are gone. With the mta's default settings.
 *
 * Exit code 1 when the p99 beside the dead destination is more than 20 % above the one without it.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatIsolation, type IsolationRow, isIsolated, measureIsolation } from './measure/isolation-run.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { createInstallation } from './servers/installation.ts';
import { createPostern } from './servers/postern.ts';
import { ensurePostfix } from './servers/postfix-package.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { addUsualOptions, readCount, type UsualOptions } from './world/options.ts';
import { createSigningKey } from './world/signature.ts';

const USUAL_LATENCY_MS = 30;
const START_SECONDS = 20;
/** Of the writing, the flush and the cancellation together. */
const MESSAGES_A_SECOND = 1_500;

interface Options extends UsualOptions {
  waiting: number;
  messages: number;
  pause: number;
  body: number;
}

const program = new Command('bench/isolation')
  .description('What a dead destination, to which many messages are due, costs those to another one.')
  .option('--waiting <number>', 'messages to the dead destination', readCount, 100_000)
  .option('--messages <number>', 'messages to the other, each time', readCount, 1_000)
  .option('--pause <ms>', 'idle time before each of those', readCount, 20)
  .option('--body <bytes>', 'size of every body', readCount, 4_096);
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

program.parse();
const options = readOptions();
await ensurePostfix(); // smtp-source comes with it
const directory = makeDirectory(options.directory);
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));
console.log(`About ${formatDuration(estimateSeconds(options))}\n`);

const [sinkPort = 0] = await findFreePorts(1);
const privateKey = createSigningKey();
const settings = await createInstallation(join(directory, 'postern'), { sinkPort, overrides: options.set });
const server = await createPostern({ settings, privateKey });
const progress = createProgress(4, estimateSeconds(options));
const rows: IsolationRow[] = [];

await server.start();
await measureIsolation(server, {
  settings,
  sinkPort,
  plan: { ...options, bodyBytes: options.body, pauseMs: options.pause },
  onPhase: (name) => progress.step(name),
  onRow(row) {
    rows.push(row);
    progress.clear();
    console.log(formatIsolation(row, rows));
  },
});
await server.stop();
await server.close();
const isSound = isIsolated(rows);
console.log(
  isSound ? '\nThe p99 beside it is within 20 %.' : '\nThe p99 beside it is more than 20 % higher.',
);
if (options.json)
  writeFileSync(options.json, `${JSON.stringify({ machine, options, rows, isSound }, null, 2)}\n`);
process.exitCode = isSound ? 0 : 1;

function readOptions(): Options {
  return program.opts<Options>();
}

function estimateSeconds({ waiting, messages, pause }: Options): number {
  const phase = (messages * (pause + USUAL_LATENCY_MS)) / 1000;
  return START_SECONDS + 4 * phase + waiting / MESSAGES_A_SECOND;
}
