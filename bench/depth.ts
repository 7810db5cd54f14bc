/**
 * bench/depth: what it costs that deliveries wait. The same measurements on an empty queue, with more and more
 * deferred deliveries in it, and with many that are due to one dead destination: throughput, latency of single
 * messages, claims, memory, size of the database. With the mta's default settings.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { createControlApi } from '../bin/control-api.ts';
import { type DepthResult, measureDepth } from './measure/depth-run.ts';
import { waitForArrival } from './measure/load-run.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { warmUp } from './measure/throughput-run.ts';
import { createInstallation } from './servers/installation.ts';
import { createPostern } from './servers/postern.ts';
import { ensurePostfix } from './servers/postfix-package.ts';
import { openBacklog } from './world/backlog.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { isTakingMail } from './world/listening.ts';
import { addUsualOptions, readCount, readList, type UsualOptions } from './world/options.ts';
import { createSigningKey } from './world/signature.ts';
import { startSilentMx } from './world/silent-mx.ts';
import { startSmtpSink } from './world/smtp-sink.ts';
import { DEAD_DOMAIN, makeTemplate } from './world/template.ts';
import { waitUntil } from './world/wait.ts';

/** Their domains: the deferred mail of a busy day. */
const WAITING_DOMAINS = Array.from({ length: 5_000 }, (_, index) => `w${index}.example`);
const DAY_SECONDS = 86_400;

const LONGEST_DRAIN_MS = 3_600_000;
const DRAINED_A_SECOND = { cancellation: 2_000, delivery: 250, none: Number.POSITIVE_INFINITY };

const drainings = ['cancellation', 'delivery', 'none'] as const;
type Draining = (typeof drainings)[number];

interface Options extends UsualOptions {
  waiting: number[];
  dead: number;
  messages: number;
  runs: number;
  body: number;
  drain: Draining;
}

const program = new Command('bench/depth')
  .description('What the mta does while many deliveries wait in its queue.')
  .option('--waiting <number,…>', 'deferred deliveries, ascending', readList, [10_000, 100_000, 1_000_000])
  .option('--dead <number>', 'deliveries due to one dead destination', readCount, 100_000)
  .option('--messages <number>', 'messages a run of the throughput', readCount, 4_000)
  .option('--runs <number>', 'runs of the throughput; the median counts', readCount, 3)
  .option('--body <bytes>', 'size of every body', readCount, 4_096)
  .addOption(
    new Option('--drain <how>', 'empty the queue of what waits, and measure once more')
      .choices(drainings)
      .default('cancellation'),
  );
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

program.parse();
const options = readOptions();
await ensurePostfix(); // smtp-source and smtp-sink come with it
const directory = makeDirectory(options.directory);
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));
console.log(`About ${formatDuration(estimateSeconds(options))}\n`);

const [sinkPort = 0] = await findFreePorts(1);
const privateKey = createSigningKey();
const world = { directory, sinkPort, privateKey };
const settings = await createInstallation(join(directory, 'postern'), { sinkPort, overrides: options.set });
const server = await createPostern({ settings, privateKey });
const load = { messages: options.messages, bodyBytes: options.body, sessions: 20, destinations: 200 };
const progress = createProgress(countRows(options), estimateSeconds(options));
const rows: { waiting: string; startSeconds: number; result: DepthResult }[] = [];

await server.start();
await makeTemplate({
  intakePort: server.intakePort,
  queueUrl: settings.queue.url,
  bodyBytes: options.body,
});
let writer = await openBacklog(settings.queue.url);
await measureRow('none');
let waiting = 0;
for (const target of options.waiting) {
  await addWaiting(target - waiting);
  waiting = target;
  await measureRow(waiting.toLocaleString('en'));
}
if (options.drain !== 'none') await drain(options.drain);
const depth = options.drain !== 'none' ? '' : `${waiting.toLocaleString('en')} + `;
const dead = `${options.dead.toLocaleString('en')} to a`;
await measureRow(`${depth}${dead} dead MX`, addDead);
const silentMx = await startSilentMx(sinkPort);
await measureRow(`${depth}${dead} silent MX`, async () => void (await writer.makeDue([DEAD_DOMAIN])));
await silentMx.close();
await writer.close();
await server.stop();
await server.close();
if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine, options, rows }, null, 2)}\n`);

/** From six hours on: none becomes due while it is measured. */
async function addWaiting(count: number): Promise<void> {
  await writer.add({
    count,
    domains: WAITING_DOMAINS,
    dueInSeconds: DAY_SECONDS / 4,
    spreadSeconds: DAY_SECONDS,
  });
  await writer.settle();
}

async function addDead(): Promise<void> {
  await writer.add({ count: options.dead, domains: [DEAD_DOMAIN], dueInSeconds: 0, spreadSeconds: 0 });
}

/** On a mta that has just been started: what it keeps in memory is what the queue needs, not what it once needed. */
async function measureRow(label: string, prepare: () => Promise<void> = async () => {}): Promise<void> {
  progress.step(`${label} waiting`);
  await prepare();
  await writer.close();
  await server.stop();
  const startedAt = performance.now();
  await server.start();
  const startSeconds = (performance.now() - startedAt) / 1000;
  writer = await openBacklog(settings.queue.url);
  await waitUntil('the greeting', () => isTakingMail(server.intakePort));
  await warmUp(server, load, world);
  const plan = { load, runs: options.runs, latencyMessages: 200, dueMessages: 2_000 };
  const result = await measureDepth(server, { settings, writer, plan, world });
  rows.push({ waiting: label, startSeconds, result });
  progress.clear();
  console.log(formatRow(label, startSeconds, result));
}

async function drain(how: 'cancellation' | 'delivery'): Promise<void> {
  progress.step(how === 'delivery' ? 'delivering what waits' : 'cancelling what waits');
  const startedAt = performance.now();
  await (how === 'delivery' ? deliverAll() : cancelAll());
  const seconds = (performance.now() - startedAt) / 1000;
  await writer.settle();
  const megabytes = Math.round((await writer.databaseBytes()) / 1024 ** 2);
  const rate = `${waiting.toLocaleString('en')} in ${formatDuration(seconds)}, ${(waiting / seconds).toFixed(0)}/s`;
  progress.clear();
  console.log(`drained by ${how}: ${rate}; database then ${megabytes} MB`);
  await measureRow('none, drained');
}

async function deliverAll(): Promise<void> {
  const sink = await startSmtpSink(directory, sinkPort);
  const count = await writer.makeDue(WAITING_DOMAINS);
  await waitForArrival(() => sink.read().messages, count);
  await sink.stop();
}

/** Until the last event is with the api as well. The action goes on when its request is not waited for. */
async function cancelAll(): Promise<void> {
  const control = createControlApi(settings);
  await control.act('cancellations', { selector: { all: true }, reason: 'bench/depth' });
  await waitUntil(
    'the end of the cancellation',
    async () => {
      const diagnosis = await control.readDiagnosis();
      return diagnosis.ok && diagnosis.value.counts.queued + diagnosis.value.outbox.events === 0;
    },
    { timeoutMs: LONGEST_DRAIN_MS, everyMs: 1_000 },
  );
}

function formatRow(label: string, startSeconds: number, result: DepthResult): string {
  const { deliveredPerSecond, latencyMs, retriedPerSecond, claimP99Ms, memory, databaseBytes } = result;
  const cpu = Object.entries(result.cpuMs).map(([role, ms]) => `${role} ${ms.toFixed(2)}`);
  const megabytes = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MB`;
  const parts = Object.entries(memory).map(([role, bytes]) => `${role} ${megabytes(bytes)}`);
  return [
    `${label}`,
    `  end to end/s ${deliveredPerSecond.toFixed(0)}, of what became due ${retriedPerSecond.toFixed(0)}` +
      `; one message p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms` +
      `; claim p99 ${result.claimMs.p99.toFixed(1)} ms alone, under load ${claimP99Ms === undefined ? 'none' : `≤ ${claimP99Ms.toFixed(0)} ms`}`,
    `  CPU ms a message: ${cpu.join(', ')}; others used ${Math.round(result.othersShare * 100)} % of the machine`,
    `  ${parts.join(', ')}; database ${megabytes(databaseBytes)}; started in ${startSeconds.toFixed(1)} s`,
  ].join('\n');
}

function readOptions(): Options {
  return program.opts<Options>();
}

function countRows({ waiting: counts, drain: drains }: Options): number {
  return 1 + counts.length + (drains === 'none' ? 0 : 2) + 2;
}

function estimateSeconds(given: Options): number {
  const usualRate = 250;
  const row = 60 + (given.messages * given.runs + 2_000) / usualRate;
  const deepest = Math.max(...given.waiting);
  return countRows(given) * row + deepest / 3_000 + deepest / DRAINED_A_SECOND[given.drain];
}
