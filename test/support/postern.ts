/** bin/postern, as an operator calls it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../deploy/local/installation.ts';

export interface PosternResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** For the running stack. @returns stdout; rejects with what it wrote when it exits with another code than 0 */
export async function postern(...parameters: string[]): Promise<string> {
  return (await execute(parameters)).stdout;
}

/** For the running stack. @returns what it prints with --json; rejects as `postern` does */
export async function posternJson<Value>(...parameters: string[]): Promise<Value> {
  return JSON.parse(await postern('--json', ...parameters)) as Value;
}

/** For the running stack, whatever its exit code. */
export function runPostern(...parameters: string[]): Promise<PosternResult> {
  return settle(execute(parameters));
}

/** For an installation of the test's own, whatever its exit code. @param environment all that it knows of the test's */
export function runPosternIn(
  directory: string,
  parameters: string[],
  environment: NodeJS.ProcessEnv = {},
): Promise<PosternResult> {
  const env = { PATH: process.env.PATH, ...environment };
  return settle(execute(['--directory', directory, ...parameters], env));
}

function execute(parameters: string[], env: NodeJS.ProcessEnv = process.env) {
  const running = promisify(execFile)(join(projectRoot, 'bin/postern'), parameters, { env });
  running.child.stdin?.end();
  return running;
}

function settle(running: ReturnType<typeof execute>): Promise<PosternResult> {
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), stdout: String(stdout), stderr: String(stderr) }),
  );
}
