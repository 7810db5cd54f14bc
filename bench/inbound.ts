/**
 * bench/inbound: how many messages a second Postern takes in from outside, each with SPF, DKIM and DMARC checked, handed
 * to the api and committed there before its 250; beside Postfix with its defaults, without a milter, which checks
 * nothing, syncs each to its queue and discards it from there.
 *
 * Same source for both: signed mail of many domains whose keys the DNS of the benchmark has. The servers take turns, run
 * by run. After each run every message must be kept and have passed all three checks. Exit code 1 when Postern's p99 is
 * 300 ms or more.
 */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { formatInbound, type InboundRuns, ratioToPostfix } from './measure/inbound-report.ts';
import { InboundMeasurement } from './measure/inbound-run.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { summarize } from './measure/statistics.ts';
import type { ServerName } from './servers/contestants.ts';
import { createInbound, RECIPIENT } from './servers/inbound.ts';
import { createInstallation } from './servers/installation.ts';
import { createPostfix } from './servers/postfix.ts';
import { ensurePostfix, findPostfixAccount } from './servers/postfix-package.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { addUsualOptions, onlyOption, readCount, type UsualOptions } from './world/options.ts';
import { createSenders } from './world/signed-mail.ts';

const START_SECONDS = 15;
const USUAL_RATE = 250;
const LIMIT_MS = 300;

interface Options extends UsualOptions {
  messages: number;
  runs: number;
  sessions: number;
  perSession: number;
  body: number;
  domains: number;
  only?: ServerName;
  cpuProf?: string;
}

const program = new Command('bench/inbound')
  .description('Messages a second that come in, checked and committed; beside Postfix, which checks nothing.')
  .option('--runs <number>', 'runs of each; the median counts', readCount, 5)
  .option('--messages <number>', 'a run', readCount, 5_000)
  .option('--sessions <number>', 'connections of the source at a time', readCount, 20)
  .option('--per-session <number>', 'messages of a connection', readCount, 10)
  .option('--body <bytes>', 'size of the body', readCount, 4_096)
  .option('--domains <number>', 'that send, each with a key of its own', readCount, 20)
  .addOption(onlyOption())
  .option('--cpu-prof <directory>', 'write CPU profiles of inbound and api there');
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

program.parse();
const options = readOptions();
const directory = makeDirectory(options.directory);
const senders = await createSenders({
  domains: options.domains,
  bodyBytes: options.body,
  recipient: RECIPIENT,
});
const machine = await describeMachine(directory, options.only !== 'postern');
console.log(formatMachine(machine));
const progress = createProgress(options.runs, estimateSeconds(options));
progress.step('starting, and the first run');
const create = { postern: preparePostern, postfix: preparePostfix };
const servers = await Promise.all(listNames(options).map((name) => create[name]()));
const measurement = new InboundMeasurement({ ...options, recipient: RECIPIENT }, senders.compose);
const results: InboundRuns = {};
for (let run = 1; run <= options.runs; run++) {
  if (run > 1) progress.step(`run ${run} of ${options.runs}`);
  for (const { receiver } of servers) {
    results[receiver.name] = [...(results[receiver.name] ?? []), await measurement.measure(receiver)];
  }
}
progress.clear();
console.log(formatInbound(results));
for (const server of servers) await server.close();
if (options.json) {
  const all = { machine, options, results, ratioToPostfix: ratioToPostfix(results) ?? null };
  writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
}
const p99 = results.postern && summarize(results.postern.map(({ latency }) => latency.p99)).median;
if (p99 !== undefined && p99 >= LIMIT_MS) {
  console.log(`The p99 is ${LIMIT_MS} ms or more.`);
  process.exitCode = 1;
}

async function preparePostern() {
  const [port = 0, monitorPort = 0, sinkPort = 0] = await findFreePorts(3);
  const settings = await createInstallation(join(directory, 'postern'), {
    sinkPort,
    overrides: [
      ['inbound.port', port],
      ['inbound.monitorPort', monitorPort],
      ['inbound.maxConnectionsPerClient', 1_000], // the source has one address
      ['inbound.maxConnectionsPerClientPerMinute', 1_000_000],
      ...options.set,
    ],
  });
  const profileDirectory = options.cpuProf && resolve(options.cpuProf);
  const receiver = await createInbound({
    settings,
    findDkimRecord: senders.findDkimRecord,
    profileDirectory,
  });
  return { receiver, close: receiver.close };
}

async function preparePostfix() {
  await ensurePostfix();
  const [intakePort = 0] = await findFreePorts(1);
  const account = await findPostfixAccount();
  const facts = { intakePort, account, concurrency: 20, destinations: 1 };
  const postfix = createPostfix({ directory: join(directory, 'postfix'), ...facts });
  return {
    receiver: { ...postfix, verify: () => postfix.settle(0) },
    close: async () => {},
  };
}

function readOptions(): Options {
  return program.opts<Options>();
}

function listNames({ only }: Options): readonly ServerName[] {
  return only ? [only] : ['postern', 'postfix'];
}

function estimateSeconds({ messages, runs, ...rest }: Options): number {
  return START_SECONDS + (listNames({ messages, runs, ...rest }).length * runs * messages) / USUAL_RATE;
}
