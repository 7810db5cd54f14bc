/** bin/postern queue: looks at what is queued and changes it, by the control API of the mta. */
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { type ControlApi, createControlApi, type Outcome, type Verb } from '../control-api.ts';
import {
  formatActions,
  formatDeliveries,
  formatDelivery,
  formatLimits,
  formatOutcome,
  formatPauses,
  formatSlowdowns,
  formatSummary,
} from '../queue-text.ts';
import { addSelection, readId, readMoment, type SelectionOptions, toSelector } from '../selection.ts';
import { CommandFailure, runCommand, unwrap } from './context.ts';

interface ActionOptions extends SelectionOptions {
  reason?: string;
  dryRun?: boolean;
  yes?: boolean;
  until?: string;
  to?: string;
}

export function addQueueCommands(program: Command): void {
  const queue = program
    .command('queue')
    .description('What is queued: looks at it, holds it up, sends it off, takes it out')
    .addHelpText(
      'after',
      `
Examples:
  $ bin/postern queue summary
  $ bin/postern queue list --domain example.com --older-than 1h
  $ bin/postern queue pause --site google --reason "rate limited" --until 2h
  $ bin/postern queue cancel --message 42 --reason "sent by mistake" --dry-run
  $ bin/postern queue limits set site:google --connections 5`,
    );
  addReading(queue);
  addPausing(queue);
  addActing(queue);
  addLimits(queue);
}

function addReading(queue: Command): void {
  addSelection(queue.command('list'))
    .description('Deliveries, in the order in which they came in')
    .option('--limit <count>', 'at most 1000', readId, 100)
    .option('--after <id>', 'the last of the page before')
    .action((options: SelectionOptions & { limit: number; after?: string }, command: Command) =>
      withApi(command, async (api, print) => {
        const { limit, after } = options;
        const deliveries = unwrap(await api.listDeliveries(toSelector(options), { limit, after }), HINTS);
        print(deliveries, formatDeliveries(deliveries, limit));
      }),
    );
  queue
    .command('show')
    .description('One delivery: its state, its last reply, facts of its envelope')
    .argument('<id>', 'as queue list shows it: the queue id, a dot, the sequence')
    .action((id: string, _options, command: Command) =>
      withApi(command, async (api, print) => {
        const [queueId = '', sequence = '001'] = id.split('.');
        const delivery = unwrap(await api.showDelivery(queueId, sequence), HINTS);
        print(delivery, formatDelivery(delivery));
      }),
    );
  queue
    .command('summary')
    .description('How much waits, and for how long, by zone, organization, domain and site')
    .action((_options, command: Command) =>
      withApi(command, async (api, print) => {
        const summary = unwrap(await api.readSummary(), HINTS);
        print(summary, formatSummary(summary));
      }),
    );
  queue
    .command('actions')
    .description('The audit: what operators did, the latest first')
    .option('--limit <count>', 'at most 500', readId, 20)
    .action(({ limit }: { limit: number }, command: Command) =>
      withApi(command, async (api, print) => {
        const actions = unwrap(await api.listActions(limit), HINTS);
        print(actions, formatActions(actions));
      }),
    );
}

function addPausing(queue: Command): void {
  addSelection(queue.command('pause'))
    .description('Sends none of these, queued now or later, until it is resumed or the time is over')
    .requiredOption('--reason <text>')
    .option('--until <when>', 'a duration from now, as 2h, or a moment, as 2027-01-31T18:00:00Z', readMoment)
    .option('--dry-run', 'only count')
    .action((options: ActionOptions, command: Command) =>
      withApi(command, async (api, print) => {
        const { reason, until, dryRun = false } = options;
        const body = { selector: toSelector(options), reason, dryRun, ...(until && { endsAt: until }) };
        const paused = unwrap(await api.pause(body), HINTS);
        const ending = paused.pause ? `\nbin/postern queue resume ${paused.pause.id} ends the pause.` : '';
        print(paused, formatOutcome('paused', paused) + ending);
      }),
    );
  queue
    .command('pauses')
    .description('The pauses in effect')
    .action((_options, command: Command) =>
      withApi(command, async (api, print) => {
        const pauses = unwrap(await api.listPauses(), HINTS);
        print(pauses, formatPauses(pauses));
      }),
    );
  queue
    .command('resume')
    .description('Ends a pause: what waited for it is sent when it is due')
    .argument('<id>', 'of the pause, as queue pauses shows it', readId)
    .option('--dry-run', 'only count')
    .action((id: number, { dryRun = false }: ActionOptions, command: Command) =>
      withApi(command, async (api, print) => {
        const resumed = unwrap(await api.resume(id, dryRun), HINTS);
        print(resumed, formatOutcome('resumed', resumed));
      }),
    );
}

function addActing(queue: Command): void {
  addSelection(queue.command('flush'))
    .description('Tries these at once, those too that are held; what is paused stays paused')
    .option('--reason <text>')
    .option('--dry-run', 'only count')
    .action((options: ActionOptions, command: Command) => act(command, 'flushes', 'flushed', options));
  for (const [name, verb, done, description] of [
    ['bounce', 'bounces', 'bounced', 'Gives these up as bounced; the senders are told the reason'],
    ['cancel', 'cancellations', 'cancelled', 'Takes these out of the queue, unsent'],
  ] as const) {
    addSelection(queue.command(name))
      .description(description)
      .requiredOption('--reason <text>')
      .option('--dry-run', 'only count')
      .option('--yes', 'do not ask')
      .action((options: ActionOptions, command: Command) => act(command, verb, done, options));
  }
  addSelection(queue.command('move'))
    .description('Has these sent by another zone')
    .requiredOption('--to <zone>', 'the zone')
    .option('--reason <text>')
    .option('--dry-run', 'only count')
    .action((options: ActionOptions, command: Command) =>
      act(command, 'moves', 'moved', options, { zone: options.to }),
    );
  queue
    .command('adopt')
    .description('Takes over what a dead instance had claimed, without waiting for its leases')
    .argument('<instance>', 'its instanceId')
    .option('--reason <text>')
    .option('--dry-run', 'only count')
    .action((instanceId: string, { reason, dryRun = false }: ActionOptions, command: Command) =>
      withApi(command, async (api, print) => {
        const body = { instanceId, dryRun, ...(reason && { reason }) };
        const adopted = unwrap(await api.act('adoptions', body), HINTS);
        print(adopted, formatOutcome('adopted', adopted));
      }),
    );
}

function addLimits(queue: Command): void {
  const limits = queue.command('limits').description('Limits of destinations, in effect at once');
  limits
    .command('list', { isDefault: true })
    .description('All of them; * is that of every other domain')
    .action((_options, command: Command) =>
      withApi(command, async (api, print) => {
        const listed = unwrap(await api.listLimits(), HINTS);
        print(listed, formatLimits(listed));
      }),
    );
  queue
    .command('slowdowns')
    .description('Destinations that push back, and what they get for now; queue flush ends a slowdown')
    .action((_options, command: Command) =>
      withApi(command, async (api, print) => {
        const slowdowns = unwrap(await api.listSlowdowns(), HINTS);
        print(slowdowns, formatSlowdowns(slowdowns));
      }),
    );
  limits
    .command('set')
    .argument('<destination>', 'a domain, or site:name')
    .requiredOption('--connections <count>', 'deliveries at a time', readId)
    .option('--rate <number>', 'deliveries started a second; 0.1 is one in ten seconds', Number)
    .action(
      (
        destination: string,
        { connections, rate }: { connections: number; rate?: number },
        command: Command,
      ) =>
        withApi(command, async (api, print) => {
          const limit = { connections, ...(rate !== undefined && { ratePerSecond: rate }) };
          const set = unwrap(await api.setLimit(destination, limit), HINTS);
          print(set, formatLimits([set]));
        }),
    );
  limits
    .command('remove')
    .argument('<destination>', 'a domain, or site:name')
    .action((destination: string, _options, command: Command) =>
      withApi(command, async (api, print) => {
        unwrap(await api.removeLimit(destination), HINTS);
        print({ destination }, `${destination} has no limit of its own any more.`);
      }),
    );
}

async function act(
  command: Command,
  verb: Verb,
  done: string,
  options: ActionOptions,
  parameters: object = {},
): Promise<void> {
  await withApi(command, async (api, print) => {
    const { reason, dryRun = false } = options;
    const body = { selector: toSelector(options), ...parameters, ...(reason && { reason }) };
    const isFinal = verb === 'bounces' || verb === 'cancellations';
    if (isFinal && !dryRun && !options.yes && process.stdin.isTTY) {
      await confirm(done, unwrap(await api.act(verb, { ...body, dryRun: true }), HINTS));
    }
    const outcome = unwrap(await api.act(verb, { ...body, dryRun }), HINTS);
    print(outcome, formatOutcome(done, outcome));
  });
}

async function confirm(done: string, outcome: Outcome): Promise<void> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${formatOutcome(done, outcome)} Go on? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new CommandFailure('nothing was changed', 'Answer y to go on, or give --yes.');
}

function withApi(
  command: Command,
  work: (api: ControlApi, print: (value: unknown, text: string) => void) => Promise<void>,
): Promise<void> {
  return runCommand(command, ({ settings, print }) => work(createControlApi(settings()), print));
}

const HINTS = {
  0: 'Is it running? bin/postern status tells, bin/up starts it.',
  401: 'The service token of this installation is another one: does --directory name the right one?',
  404: 'bin/postern queue list, pauses and limits show what there is.',
  409: 'Its master has to be stopped first; when it starts again, it takes back by itself what it had.',
  422: 'bin/postern queue --help has examples; docs/operate-queue.md has the meaning of each verb.',
  503: 'bin/postern doctor says what is wrong.',
};
