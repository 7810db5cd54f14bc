import type { Command } from 'commander';
import { stringify } from 'smol-toml';
import { maskSecrets } from '../../config/secrets.ts';
import { runCommand } from './context.ts';

export function addConfigCommands(program: Command): void {
  const config = program.command('config').description('The settings of the installation');
  config
    .command('check')
    .description('Prints the settings in effect, secrets masked; with problems it lists them and exits 78')
    .addHelpText('after', '\nExample:\n  $ bin/postern --directory /etc/postern config check')
    .action((_options, command: Command) =>
      runCommand(command, ({ settings, print }) => {
        const shown = maskSecrets(settings());
        print(shown, stringify(shown).trimEnd());
      }),
    );
}
