import type { Command } from 'commander';
import { runCommand, unwrap } from './context.ts';
import { findOwnDomain } from './own-domain.ts';

export function addTokenCommands(program: Command): void {
  const token = program.command('token').description('The API tokens of a domain');
  token
    .command('create')
    .description('Makes a token that may send from the domain over HTTP and SMTP. It is shown this once.')
    .requiredOption('--domain <name>', 'as example.com')
    .option('--name <text>', 'what it is for, as "billing"', '')
    .option('--organization-token <token>', "the organization's API token")
    .addHelpText('after', '\nExample:\n  $ bin/postern token create --domain example.com --name billing')
    .action((options: { domain: string; name: string }, command: Command) =>
      runCommand(command, async ({ organizationApi, print }) => {
        const api = organizationApi();
        const domain = await findOwnDomain(api, options.domain);
        const created = unwrap(await api.createToken(domain.id, options.name));
        print(created, `Token ${created.id} of ${domain.url}, shown only now:\n\n  ${created.token}\n`);
      }),
    );
}
