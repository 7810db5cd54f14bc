import type { Command } from 'commander';
import { readId } from '../selection.ts';
import { formatCancellation, formatMessage } from '../timeline.ts';
import { runCommand, unwrap } from './context.ts';

export function addMessageCommands(program: Command): void {
  const message = program.command('message').description('What became of a message');
  message
    .command('show')
    .description('Its recipients and its timeline: accepted, each attempt, delivered or bounced')
    .argument('<id>', 'as the answer to sending it said', readId)
    .option('--token <token>', "the API token of the message's domain")
    .addHelpText('after', '\nExample:\n  $ bin/postern message show 1')
    .action((id: number, _options, command: Command) =>
      runCommand(command, async ({ domainApi, print }) => {
        const shown = unwrap(await domainApi().showMessage(id));
        print(shown, formatMessage(shown));
      }),
    );
  message
    .command('cancel')
    .description('Takes back what is scheduled, waits or is queued; says what became of each recipient')
    .argument('<id>', 'as the answer to sending it said', readId)
    .option('--token <token>', "the API token of the message's domain")
    .action((id: number, _options, command: Command) =>
      runCommand(command, async ({ domainApi, print }) => {
        const cancellation = unwrap(await domainApi().cancelMessage(id), {
          409: `bin/postern message show ${id} tells what became of it.`,
        });
        print(cancellation, formatCancellation(cancellation));
      }),
    );
}
