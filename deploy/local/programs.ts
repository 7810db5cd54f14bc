/** Our own programs as child processes of the set-up: with a deadline, and ended by an interrupt. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { nodeBinary, projectRoot } from './installation.ts';
import { StepFailure } from './steps.ts';

const DEADLINE_MS = 120_000;

/**
 * Runs a program of the project for an installation.
 * @returns what it wrote to stdout; throws StepFailure with what it wrote to stderr when it fails
 */
export async function runProgram(
  directory: string,
  [program = '', ...parameters]: string[],
  signal: AbortSignal,
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(nodeBinary, [join(projectRoot, program), ...parameters], {
      cwd: projectRoot,
      env: { ...process.env, POSTERN_DIRECTORY: directory },
      timeout: DEADLINE_MS,
      signal,
    });
    return stdout;
  } catch (error) {
    const { stdout, stderr, message, killed } = error as Error & {
      stdout?: string;
      stderr?: string;
      killed?: boolean;
    };
    const reason = killed
      ? `did not end within ${DEADLINE_MS / 1000} s`
      : (stderr || stdout || message).trim();
    throw new StepFailure(`${[program, ...parameters.slice(0, 1)].join(' ')} failed: ${reason}`);
  }
}
