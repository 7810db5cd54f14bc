/**
 * bench/latency: how long one message takes through an idle system, from the intake's 250 until the sink has it.
 * Source and sink are this process, so that there is one clock. Postfix, signing with OpenDKIM, is measured beside it.
 */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { measureLatency } from './measure/latency-run.ts';
import { formatLatencies, type LatencySummary, summarizeLatencies } from './measure/latency-summary.ts';
import { describeMachine, formatMachine } from './measure/machine.ts';
import { createProgress, formatDuration } from './measure/progress.ts';
import { prepareContest, type ServerName } from './servers/contestants.ts';
import { isTakingMail } from './world/listening.ts';
import { listDestinations } from './world/names.ts';
import { addUsualOptions, onlyOption, readCount, type UsualOptions } from './world/options.ts';
import { waitUntil } from './world/wait.ts';

const START_SECONDS = 8;
const USUAL_LATENCY_MS = 30;

interface Options extends UsualOptions {
  messages: number;
  pause: number;
  body: number;
  only?: ServerName;
}

const program = new Command('bench/latency')
  .description(
    'Milliseconds from the 250 of the intake until the message is at the sink, one message at a time.',
  )
  .option('--messages <number>', 'how many', readCount, 300)
  .option('--pause <ms>', 'idle time before each', readCount, 100)
  .option('--body <bytes>', 'size of the body', readCount, 4096)
  .addOption(onlyOption());
addUsualOptions(program, () => formatDuration(estimateSeconds(readOptions())));

function readOptions(): Options {
  return program.opts<Options>();
}

function listNames({ only }: Options): readonly ServerName[] {
  return only ? [only] : ['postern', 'postfix'];
}

function estimateSeconds(options: Options): number {
  const one = START_SECONDS + (options.messages * (options.pause + USUAL_LATENCY_MS)) / 1000;
  return listNames(options).length * one;
}

program.parse();
const options = readOptions();
const [recipientDomain = ''] = listDestinations(1);
const contest = await prepareContest({
  names: listNames(options),
  overrides: options.set,
  concurrency: 20,
  destinations: 1,
  parent: options.directory,
});
const machine = await describeMachine(contest.directory, !options.only || options.only === 'postfix');
console.log(formatMachine(machine));
const progress = createProgress(contest.servers.length, estimateSeconds(options));
const results: Record<string, { latenciesMs: number[]; summary: LatencySummary }> = {};

for (const server of contest.servers) {
  progress.step(`${options.messages} messages through ${server.name}`);
  await server.start();
  try {
    await waitUntil(`the greeting of ${server.name}`, () => isTakingMail(server.intakePort));
    const latenciesMs = await measureLatency(
      { intakePort: server.intakePort, sinkPort: contest.sinkPort },
      {
        messages: options.messages,
        bodyBytes: options.body,
        pauseMs: options.pause,
        recipient: `rcpt@${recipientDomain}`,
      },
    );
    const summary = summarizeLatencies(latenciesMs);
    results[server.name] = { latenciesMs, summary };
    progress.clear();
    console.log(`${server.name.padEnd(8)} ${formatLatencies(summary)}`);
  } finally {
    await server.stop();
  }
}
await contest.close();
if (options.json) writeFileSync(options.json, `${JSON.stringify({ machine, ...results }, null, 2)}\n`);
