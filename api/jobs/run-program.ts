/** A job that is a program of deploy/, as a process of its own: what keeps a thread busy there keeps no other job waiting. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PeriodicContext } from './scheduled.ts';

const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/**
 * @param program from the root of the project, with its parameters
 * @returns the JSON that it prints @throws with what the program says why it could not
 */
export async function runProgram(
  [program, ...parameters]: [string, ...string[]],
  { settings, signal }: Pick<PeriodicContext, 'settings' | 'signal'>,
): Promise<unknown> {
  const path = join(import.meta.dirname, '../..', program);
  const running = promisify(execFile)(process.execPath, [path, ...parameters], {
    env: { ...process.env, POSTERN_DIRECTORY: settings.directory },
    maxBuffer: MAX_OUTPUT_BYTES,
    signal,
  });
  // A worker that goes takes it along; what it has begun, the next time begins anew.
  const end = () => running.child.kill();
  process.once('exit', end);
  try {
    return JSON.parse((await running).stdout);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(stderr?.trim() || message);
  } finally {
    process.removeListener('exit', end);
  }
}
