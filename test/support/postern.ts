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

/** Whatever its exit code. */
export async function runPostern(...parameters: string[]): Promise<PosternResult> {
  const run = promisify(execFile)(join(projectRoot, 'bin/postern'), parameters);
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), stdout: String(stdout), stderr: String(stderr) }),
  );
}
