/** bin/postern for the running stack, as an operator calls it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../deploy/local/installation.ts';

export interface PosternResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** @returns stdout; rejects with what it wrote when it exits with another code than 0 */
export async function postern(...parameters: string[]): Promise<string> {
  return (await execute(parameters)).stdout;
}

/** @returns what it prints with --json; rejects as `postern` does */
export async function posternJson<Value>(...parameters: string[]): Promise<Value> {
  return JSON.parse(await postern('--json', ...parameters)) as Value;
}

/** Whatever its exit code. */
export async function runPostern(...parameters: string[]): Promise<PosternResult> {
  return execute(parameters).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), stdout: String(stdout), stderr: String(stderr) }),
  );
}

function execute(parameters: string[]) {
  return promisify(execFile)(join(projectRoot, 'bin/postern'), parameters);
}
