/**
 * `node deploy/backup/run.ts create|verify`: what the worker's schedule runs as a process of its own, so that encryption
 * keeps no job waiting. Prints the result as JSON. Exits 1, with a line on stderr, when it failed.
 *
 * Trusts: the settings, both databases. Never: writes a secret or a row anywhere but into the encrypted file.
 * Settings: database, queue, storage, backup, secrets.
 */
import { loadSettings } from '../../config/load.ts';
import type { Settings } from '../../config/schema.ts';
import { createBackup } from './create.ts';
import { findBackup } from './find.ts';
import { verifyBackup } from './verify.ts';

const actions: Record<string, (settings: Settings) => Promise<object>> = {
  create: createBackup,
  async verify(settings) {
    const found = await findBackup(settings, 'latest');
    if (!found) throw new Error('there is no backup to verify');
    const result = await verifyBackup(await found.open(), settings);
    if (result.differing.length > 0)
      throw new Error(`${found.name} is not what was backed up: ${result.differing.join(', ')}`);
    return { name: found.name, place: found.place, ...result };
  },
};

const action = actions[process.argv[2] ?? ''];
if (!action) throw new Error('say create or verify');
try {
  process.stdout.write(`${JSON.stringify(await action(loadSettings()))}\n`);
} catch (error) {
  const { message, code } = error as Error & { code?: string };
  process.stderr.write(`${message || code}\n`);
  process.exitCode = 1;
}
