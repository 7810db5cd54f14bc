/** bin/postern pacing: how fast the mta sends to each site, and why, by its control API. */
import type { Command } from 'commander';
import { createControlApi, type Pace, type PaceChange } from '../control-api.ts';
import { readId } from '../selection.ts';
import { formatTable } from '../text.ts';
import { runCommand, unwrap } from './context.ts';

const HINTS = {
  0: 'Is it running? bin/postern status tells, bin/up starts it.',
  503: 'bin/postern doctor says what is wrong.',
};

export function addPacingCommands(program: Command): void {
  const pacing = program.command('pacing').description('How fast each site is sent to, and why');
  pacing
    .command('list', { isDefault: true })
    .description('The sites that this mta sends to, at their present pace')
    .action((_options, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const paces = unwrap(await createControlApi(settings()).listPaces(), HINTS);
        print(paces, formatPaces(paces));
      }),
    );
  pacing
    .command('changes')
    .description('What has changed a pace, newest first')
    .option('--site <name>', 'only of this one')
    .option('--address <address>', 'only of this local address')
    .option('--limit <count>', 'at most 1000', readId, 50)
    .option('--before <id>', 'only older ones', readId)
    .action(
      (options: { site?: string; address?: string; limit: number; before?: number }, command: Command) =>
        runCommand(command, async ({ settings, print }) => {
          const changes = unwrap(await createControlApi(settings()).listPaceChanges(options), HINTS);
          print(changes, formatChanges(changes));
        }),
    );
}

function formatPaces(paces: Pace[]): string {
  if (paces.length === 0)
    return 'No site is paced: none was sent to in the last hour, or pacing.enabled is false.';
  return formatTable(
    ['site', 'from', 'at a time', 'a second', 'refusals in a row'],
    paces.map(({ address, site, concurrency, rate, falls }) => [
      site,
      address,
      concurrency.toFixed(1),
      rate.toFixed(2),
      String(falls),
    ]),
  );
}

function formatChanges(changes: PaceChange[]): string {
  if (changes.length === 0) return 'No pace has changed.';
  return formatTable(
    ['id', 'when', 'instance', 'site', 'from', 'because of', 'at a time', 'a second'],
    changes.map(({ id, changedAt, instanceId, address, site, trigger, before, after }) => [
      ...[String(id), changedAt, instanceId, site, address, trigger],
      `${before.concurrency.toFixed(1)} -> ${after.concurrency.toFixed(1)}`,
      `${before.rate.toFixed(2)} -> ${after.rate.toFixed(2)}`,
    ]),
  );
}
