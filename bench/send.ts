/**
 * bench/send: how many requests a second `POST /api/v1/send` answers with 200, and how long each takes. The api runs with
 * a Postgres (fsync on) and a Redis of its own and nothing else, the requests come from autocannon. With --worker a
 * worker hands the messages on meanwhile, to an mta that is not there.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { formatSendRun, measureSend } from './measure/send-run.ts';
import { startApiServer } from './servers/api-server.ts';
import { createInstallation } from './servers/installation.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { addUsualOptions, readCount, type UsualOptions } from './world/options.ts';

const START_SECONDS = 15;
const WARM_UP_SECONDS = 5;

interface Options extends UsualOptions {
  seconds: number;
  runs: number;
  connections: number;
  body: number;
  key?: boolean;
  worker?: boolean;
}

const program = new Command('bench/send')
  .description('Requests a second of POST /api/v1/send, durable, and their latency.')
  .option('--seconds <number>', 'of each run', readCount, 15)
  .option('--runs <number>', 'how often', readCount, 3)
  .option('--connections <number>', 'requests at a time', readCount, 20)
  .option('--body <bytes>', 'size of textbody', readCount, 2048)
  .option('--key', 'each request with an Idempotency-Key of its own')
  .option('--worker', 'with a worker beside the api');
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

function readOptions(): Options {
  return program.opts<Options>();
}

function estimateSeconds({ seconds, runs }: Options): number {
  return START_SECONDS + WARM_UP_SECONDS + runs * (seconds + 2);
}

program.parse();
const options = readOptions();
const directory = makeDirectory(options.directory);
const [sinkPort = 0] = await findFreePorts(1);
const unlimited = [
  ['limits.tokenMessagesPerMinute', 10_000_000],
  ['limits.organizationMessagesPerMinute', 10_000_000],
] as const;
const settings = await createInstallation(join(directory, 'postern'), {
  sinkPort,
  overrides: [...unlimited, ...options.set],
});
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));

const progress = createProgress(options.runs + 1, estimateSeconds(options));
progress.step('starting and warming up');
const server = await startApiServer(settings, { hasWorker: options.worker === true });
const load = {
  connections: options.connections,
  bodyBytes: options.body,
  hasKeys: options.key === true,
};
await measureSend(server, { ...load, seconds: WARM_UP_SECONDS });
const runs = [];
for (let number = 1; number <= options.runs; number++) {
  progress.step(`run ${number} of ${options.runs}`);
  const run = await measureSend(server, { ...load, seconds: options.seconds });
  progress.clear();
  console.log(formatSendRun(run));
  runs.push(run);
}
await server.stop();
if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine, load, runs }, null, 2)}\n`);
