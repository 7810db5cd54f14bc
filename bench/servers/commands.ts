import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const TIMEOUT_MS = 120_000;

/** @returns what the command wrote to stdout. @throws when it fails */
export async function runCommand(
  command: string,
  parameters: string[],
  variables: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(command, parameters, {
    timeout: TIMEOUT_MS,
    env: { ...process.env, ...variables },
  });
  return stdout;
}
