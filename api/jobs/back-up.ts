/**
 * Each night a backup, each Sunday its proof, in a process of their own (deploy/backup/run.ts): encryption and
 * compression would keep the worker's other jobs waiting.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { PeriodicContext } from './scheduled.ts';

const PROGRAM = fileURLToPath(new URL('../../deploy/backup/run.ts', import.meta.url));
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export const backUp = (context: PeriodicContext) => run('create', context);
export const verifyNewest = (context: PeriodicContext) => run('verify', context);

/** @throws with what the program says why it could not */
async function run(
  action: 'create' | 'verify',
  { settings, signal }: PeriodicContext,
): Promise<object | undefined> {
  if (!settings.backup.enabled) return undefined;
  const running = promisify(execFile)(process.execPath, [PROGRAM, action], {
    env: { ...process.env, POSTERN_DIRECTORY: settings.directory },
    maxBuffer: MAX_OUTPUT_BYTES,
    signal,
  });
  // A worker that goes takes it along; what it has begun is left as .partial, and the next night begins anew.
  const end = () => running.child.kill();
  process.once('exit', end);
  try {
    return JSON.parse((await running).stdout) as object;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(stderr?.trim() || message);
  } finally {
    process.removeListener('exit', end);
  }
}
