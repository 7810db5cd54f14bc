import { resolve } from 'node:path';
import type { Command } from 'commander';
import { layOut } from '../../deploy/commands/layout.ts';
import { type DeployOptions, deploy, type Outcome, restartAll, rollBack } from '../../deploy/deployment.ts';
import { readInventory } from '../../deploy/inventory.ts';
import { projectRoot } from '../../deploy/local/installation.ts';
import { abortOnInterrupt } from '../../deploy/local/interrupt.ts';
import { StepFailure } from '../../deploy/local/steps.ts';
import { formatReleases, listReleases } from '../../deploy/releases.ts';
import { DeployFailure } from '../../deploy/remote/failure.ts';
import { printSetup, setUp } from '../../deploy/setup/setup.ts';
import { listUnits } from '../../deploy/setup/units.ts';
import { CommandFailure, runCommand } from './context.ts';

interface Options {
  inventory: string;
  json?: boolean;
  source: string;
  revision: string;
  to?: string;
  print?: boolean;
  firewall?: boolean;
}

export function addDeployCommands(program: Command): void {
  const command = program
    .command('deploy')
    .description('Brings a release onto the hosts of an inventory, over ssh; docs/deploy.md')
    .option('--inventory <file>', 'the hosts and their roles', 'deploy.toml')
    .option('--source <path>', 'the checkout to deploy from', projectRoot)
    .option('--revision <name>', 'a commit, branch or tag of it', 'HEAD')
    .addHelpText(
      'after',
      `
Phases: check, build, upload, release, migrate, switch, restart, verify, prune. Until switch nothing that runs is touched;
what fails after it goes back to the release from before. Executables hooks/before-<phase> and hooks/after-<phase> beside the
inventory run here, around each phase.

Examples:
  $ bin/postern deploy
  $ bin/postern deploy --revision v0.2.0
  $ bin/postern deploy rollback`,
    )
    .action((_options, own: Command) =>
      runDeployment(own, (options, { source, revision }) =>
        deploy({ ...options, source: resolve(source), revision }),
      ),
    );
  command
    .command('rollback')
    .description('Back to the newest earlier release that ran well; migrations stay')
    .option('--to <release>', 'to this one')
    .action((_options, own: Command) =>
      runDeployment(own, (options, { to }) => rollBack({ ...options, ...(to === undefined ? {} : { to }) })),
    );
  command
    .command('restart')
    .description('Starts every process anew from the release that runs, to read changed settings')
    .action((_options, own: Command) => runDeployment(own, restartAll));
  command
    .command('releases')
    .description('What lies on the hosts, and what runs')
    .action((_options, own: Command) => {
      const given = own.optsWithGlobals<Options>();
      return runCommand(own, ({ print }) =>
        expectFailure(async () => {
          const hosts = await listReleases(readOptions(given));
          print(hosts, formatReleases(hosts));
        }),
      );
    });
  command
    .command('systemd')
    .description('Prints the units of systemd that stand for the processes, without pm2')
    .action((_options, own: Command) => {
      const given = own.optsWithGlobals<Options>();
      return runCommand(own, ({ print }) =>
        expectFailure(async () => {
          const { inventory } = readOptions(given);
          const units = listUnits(layOut(inventory.root), [
            ...new Set(inventory.hosts.flatMap((host) => host.roles)),
          ]);
          print(units, units.map(({ path, content }) => `# ${path}\n${content}`).join('\n'));
        }),
      );
    });
  command
    .command('setup')
    .description('Makes fresh Debian or Ubuntu machines ready for a first release; may be repeated')
    .option('--print', 'only show the scripts')
    .option('--firewall', "load the firewall's rules, which are otherwise only written down")
    .action((_options, own: Command) => {
      const given = own.optsWithGlobals<Options>();
      return runCommand(own, ({ print }) =>
        expectFailure(async () => {
          const options = { ...readOptions(given), appliesFirewall: given.firewall === true };
          if (given.print) return print(printSetup(options), printSetup(options));
          await setUp(options);
          print({ hosts: options.inventory.hosts.map(({ name }) => name) }, 'Ready for bin/postern deploy.');
        }),
      );
    });
}

function runDeployment(
  command: Command,
  action: (options: DeployOptions, given: Options) => Promise<Outcome>,
): Promise<void> {
  const given = command.optsWithGlobals<Options>();
  return runCommand(command, async ({ print }) => {
    const outcome = await expectFailure(async () => action(readOptions(given), given));
    print(
      outcome,
      `Release ${outcome.release} (${outcome.revision.slice(0, 12)}) runs on ${outcome.hosts.join(', ')}.`,
    );
  });
}

function readOptions({ inventory: file, json }: Options): DeployOptions {
  const inventoryFile = resolve(file);
  const result = readInventory(inventoryFile);
  if (!result.ok) {
    throw new CommandFailure(
      [`the inventory ${inventoryFile} has problems:`, ...result.problems].join('\n  - '),
      'docs/deploy.md explains every field.',
      78,
    );
  }
  const write = json ? console.error : console.log;
  return { inventory: result.inventory, inventoryFile, write, signal: abortOnInterrupt() };
}

async function expectFailure<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof DeployFailure || error instanceof StepFailure) {
      throw new CommandFailure(error.message, 'It may be run again: each phase begins where it can.');
    }
    throw error;
  }
}
