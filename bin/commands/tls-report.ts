/** bin/postern tls-reports: what recipients' domains are told of TLS, now instead of tomorrow. */
import type { Command } from 'commander';
import Type from 'typebox';
import { askConsole } from '../console.ts';
import { clean } from '../text.ts';
import { runCommand } from './context.ts';

const answerSchema = Type.Object({
  reports: Type.Array(
    Type.Object({
      domain: Type.String(),
      day: Type.String(),
      outcomes: Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])),
    }),
  ),
});

export function addTlsReportsCommand(program: Command): void {
  program
    .command('tls-reports')
    .description(
      'Sends the reports about TLS (RFC 8460) of a day to the domains that were not told of it yet',
    )
    .requiredOption('--day <day>', 'as 2026-01-31, UTC; one of the last four, today included')
    .addHelpText('after', '\nThe worker does it each day for the day before. A domain is told of a day once.')
    .action(({ day }: { day: string }, command: Command) =>
      runCommand(command, async ({ directory, print }) => {
        const { reports } = await askConsole(
          directory,
          ['send-tls-reports', '--day', day],
          answerSchema,
          'docs/tls.md says what reports need.',
        );
        print(
          reports,
          reports.length === 0 ? 'Nobody is to be told anything.' : reports.map(format).join('\n'),
        );
      }),
    );
}

function format({ domain, outcomes }: { domain: string; outcomes: Record<string, string | null> }): string {
  const lines = Object.entries(outcomes).map(
    ([url, problem]) => `  ${clean(url)}: ${clean(problem ?? 'sent')}`,
  );
  return [domain, ...(lines.length > 0 ? lines : ['  asks for no report any more'])].join('\n');
}
