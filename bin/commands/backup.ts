import type { Command } from 'commander';
import type { Settings } from '../../config/schema.ts';
import { createBackup } from '../../deploy/backup/create.ts';
import { type FoundBackup, findBackup, listBackups } from '../../deploy/backup/find.ts';
import { RestoreRefusal } from '../../deploy/backup/load.ts';
import { restoreBackup } from '../../deploy/backup/restore.ts';
import { verifyBackup } from '../../deploy/backup/verify.ts';
import { formatBackups, formatRestored, formatResult, formatVerification } from '../backup-text.ts';
import { CommandFailure, runCommand } from './context.ts';

const KEY_HINT =
  'Is POSTERN_SECRET_KEY that of the installation that made it? After a rotation of it, give both: <new>,<old>.';

export function addBackupCommands(program: Command): void {
  const backup = program.command('backup').description('Backups of both databases (docs/backup.md)');
  backup
    .command('create')
    .description('Makes one now, encrypted, in the directory and the bucket of the settings')
    .action((_options, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const result = await attempt(
          () => createBackup(settings()),
          'What is there already stays; nothing that looks complete is left of this one.',
        );
        print(result, formatResult(result));
      }),
    );
  backup
    .command('list')
    .description('Those there are, oldest first')
    .action((_options, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const backups = await attempt(
          () => listBackups(settings()),
          'Look at backup.* in the settings: postern config check.',
        );
        print(backups, formatBackups(backups));
      }),
    );
  backup
    .command('verify')
    .description('Restores one into databases made for it, compares every table, and drops them')
    .argument('[backup]', 'its name, the path of a file, or latest', 'latest')
    .action((wanted: string, _options, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const { name, open } = await find(settings(), wanted);
        const result = await attempt(async () => verifyBackup(await open(), settings()), KEY_HINT);
        print({ name, ...result }, formatVerification(name, result));
        if (result.differing.length > 0) process.exitCode = 1;
      }),
    );
  addRestoreCommand(program);
}

interface RestoreOptions {
  into?: string;
  queueInto?: string;
  paused?: boolean;
}

function addRestoreCommand(program: Command): void {
  program
    .command('restore')
    .description('Fills two fresh databases from a backup. Nothing of Postern may run on them meanwhile.')
    .argument('<backup>', 'its name, the path of a file, or latest')
    .option('--into <url>', 'an empty database for the app (default: database.url of the settings)')
    .option('--queue-into <url>', 'an empty database for the queue (default: queue.url of the settings)')
    .addHelpText(
      'after',
      '\nA password does not belong on a command line: leave it out of the URL, and set PGPASSWORD.',
    )
    .option('--paused', 'send nothing of the restored queue until `postern queue resume`')
    .action((wanted: string, { into, queueInto, paused }: RestoreOptions, command: Command) =>
      runCommand(command, async ({ settings, print }) => {
        const effective = settings();
        const target = { app: into ?? effective.database.url, queue: queueInto ?? effective.queue.url };
        const { name, open } = await find(effective, wanted);
        const options = { keepsIdsApart: true, pausesQueue: paused ?? false };
        const restored = await attempt(
          async () => restoreBackup(await open(), effective, target, options),
          KEY_HINT,
        );
        print({ name, ...restored.manifest }, formatRestored(name, restored, options.pausesQueue));
      }),
    );
}

async function find(settings: Settings, wanted: string): Promise<FoundBackup> {
  const found = await attempt(() => findBackup(settings, wanted), 'Give the path of the file instead.');
  if (found) return found;
  throw new CommandFailure(`there is no backup ${wanted}`, 'bin/postern backup list shows which there are.');
}

/** What Postgres, the disk or the storage say is the message. */
async function attempt<T>(work: () => Promise<T>, hint: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    const { message, code } = error as Error & { code?: string };
    throw new CommandFailure(
      message || code || String(error),
      error instanceof RestoreRefusal
        ? 'Make both anew: dropdb, createdb; docs/backup.md has the steps. Nothing was changed.'
        : hint,
    );
  }
}
