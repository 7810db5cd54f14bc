import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { projectRoot } from '../../deploy/local/installation.ts';

/**
 * Runs a program of the project in its root, on our output; an abort ends it.
 * @returns the exit code; what a signal ended counts as failed
 */
export function runProgram(
  program: string,
  parameters: readonly string[],
  { signal, variables = {} }: { signal: AbortSignal; variables?: NodeJS.ProcessEnv },
): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const path = [join(projectRoot, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  const child = spawn(program, parameters, {
    cwd: projectRoot,
    env: { ...process.env, ...variables, PATH: path },
    stdio: 'inherit',
  });
  const end = () => child.kill();
  signal.addEventListener('abort', end, { once: true });
  child.once('error', ended.reject);
  child.once('close', (code) => {
    signal.removeEventListener('abort', end);
    ended.resolve(code ?? 1);
  });
  return ended.promise;
}
