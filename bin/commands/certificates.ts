import type { Command } from 'commander';
import { readState } from '../../deploy/certificates/files.ts';
import { renewCertificate } from '../../deploy/certificates/renew.ts';
import { CommandFailure, runCommand } from './context.ts';

export function addCertificatesCommands(program: Command): void {
  const certificates = program
    .command('certificates')
    .description('The certificate of gateway and inbound by ACME (docs/certificates.md)');
  certificates
    .command('show')
    .description('The one there is, and what is wrong with it. Exit code 1 where something is.')
    .action((_options, command: Command) =>
      runCommand(command, ({ settings, print }) => {
        const state = readState(settings(), new Date());
        const { files, expiresAt, problems, isDue } = state;
        const verdict = problems.length > 0 ? problems.join('; ') : `good until ${expiresAt}`;
        print(state, `${files.chain}: ${verdict}${isDue ? '; due: bin/postern certificates renew' : ''}`);
        if (problems.length > 0) process.exitCode = 1;
      }),
    );
  certificates
    .command('renew')
    .description('Asks for one where it is due; gateway and inbound take it without a restart')
    .option('--force', 'also where it is not due')
    .action(({ force }: { force?: boolean }, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const effective = settings();
        try {
          const renewal = await renewCertificate(effective, { isForced: force ?? false });
          const text = renewal.isRenewed
            ? renewal.log.join('\n')
            : `not due: good until ${renewal.expiresAt}`;
          print(renewal, text);
        } catch (error) {
          throw new CommandFailure(
            (error as Error).message,
            'The old certificate stays in use. http-01 needs port 80 of each name open to the world, and the right to listen there; dns-01 a hook: docs/certificates.md.',
          );
        }
      }),
    );
}
