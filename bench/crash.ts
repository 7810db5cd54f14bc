/**
 * bench/crash: what a kill -9 costs. Mail goes through the mta at a steady rate, by the api's own client; every few
 * seconds a receiver, the sender, the master or Postgres is killed, and started again as pm2 would. At the end every
 * message that was accepted must be at the sink and reported; whoever came twice must have been in flight at a kill.
 *
 * Exit code 1 when a message is lost, stuck, refused, unreported or duplicated without a reason.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type CrashResult, measureCrashes, type Role, roles } from './measure/crash-run.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { formatDuration } from './measure/progress.ts';
import { isSound } from './measure/reconciliation.ts';
import { percentile } from './measure/statistics.ts';
import { createInstallation, type Override } from './servers/installation.ts';
import { findFreePorts, makeDirectory } from './world/directory.ts';
import { addUsualOptions, readCount, type UsualOptions } from './world/options.ts';
import { createSigningKey } from './world/signature.ts';

const START_AND_DRAIN_SECONDS = 45;
/** Deferred mail comes back soon enough to wait for. Leases last as long as by default. */
const SHORT_DELAYS: Override = ['queue.retryDelaysSeconds', [1, 2, 4, 8]];
const EXAMPLES = 10;

interface Options extends UsualOptions {
  minutes: number;
  rate: number;
  every: number;
  kill: Role[];
}

const program = new Command('bench/crash')
  .description('Kills processes at random while mail goes through, and counts what is lost or duplicated.')
  .option('--minutes <number>', 'how long', readPositive, 5)
  .option('--rate <number>', 'messages a second', readCount, 50)
  .option('--every <seconds>', 'time between two kills', readPositive, 5)
  .option('--kill <process,…>', 'whom to kill', readRoles, [...roles]);
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

program.parse();
const options = readOptions();
const directory = makeDirectory(options.directory);
const [sinkPort = 0] = await findFreePorts(1);
const machine = await describeMachine(directory, false);
console.log(formatMachine(machine));
console.log(`About ${formatDuration(estimateSeconds(options))}\n`);
const result = await measureCrashes({
  settings: await createInstallation(join(directory, 'postern'), {
    sinkPort,
    overrides: [SHORT_DELAYS, ...options.set],
  }),
  privateKey: createSigningKey(),
  seconds: options.minutes * 60,
  messagesPerSecond: options.rate,
  secondsBetweenKills: options.every,
  victims: options.kill,
  onProgress: (text) => process.stderr.write(`${text}\n`),
});
console.log(formatResult(result));
if (options.json) writeFileSync(options.json, `${JSON.stringify(describeResult(result), null, 2)}\n`);
process.exitCode = isSound(result.reconciliation) && result.refused.length === 0 ? 0 : 1;

function readOptions(): Options {
  return program.opts<Options>();
}

function estimateSeconds({ minutes }: Options): number {
  return minutes * 60 + START_AND_DRAIN_SECONDS;
}

function formatResult({ reconciliation, kills, refused, delaysMs }: CrashResult): string {
  const { accepted, arrived, lost, queued, duplicatedInFlight, duplicatedOtherwise, unreported } =
    reconciliation;
  const list = (numbers: readonly number[]) =>
    numbers.length > 0 ? `${numbers.length}: ${numbers.slice(0, EXAMPLES).join(', ')}` : '0';
  const byRole = options.kill.map((role) => {
    const own = kills.filter((kill) => kill.role === role);
    return `${role} ${own.length} (${own.reduce((sum, { inFlight }) => sum + inFlight.size, 0)} in flight)`;
  });
  return [
    `killed          ${byRole.join(', ')}`,
    `accepted        ${accepted}, refused for good ${refused.length}`,
    `arrived         ${arrived}`,
    `lost            ${list(lost)}`,
    `still queued    ${list(queued)}`,
    `duplicated      in flight at a kill ${list(duplicatedInFlight)}; otherwise ${list(duplicatedOtherwise)}`,
    `never reported  ${list(unreported)}`,
    ...(delaysMs.length > 0 ? [`250 to sink     ${formatDelays(delaysMs)}`] : []),
  ].join('\n');
}

function formatDelays(delaysMs: readonly number[]): string {
  const seconds = (share: number) => (percentile(delaysMs, share) / 1000).toFixed(2);
  return `p50 ${seconds(0.5)} s, p99 ${seconds(0.99)} s, longest ${seconds(1)} s`;
}

function describeResult({ kills, ...rest }: CrashResult): object {
  const { minutes, rate, every } = options;
  return {
    machine,
    minutes,
    messagesPerSecond: rate,
    secondsBetweenKills: every,
    kills: kills.map(({ role, inFlight }) => ({ role, inFlight: inFlight.size })),
    ...rest,
  };
}

function readPositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Not a number above zero.');
  return value;
}

function readRoles(text: string): Role[] {
  return text.split(',').map((name) => {
    const role = roles.find((known) => known === name);
    if (!role) throw new InvalidArgumentError(`Known are ${roles.join(', ')}.`);
    return role;
  });
}
