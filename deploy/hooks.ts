/**
 * Programs of the operator's around each phase: executables in hooks/ beside the inventory, named before-<phase> and
 * after-<phase>, and after-rollback. They run here, not on the hosts, with the facts in their environment. One that fails
 * fails its phase.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DeployFailure } from './remote/failure.ts';

const TIMEOUT_MS = 10 * 60_000;
/** Of a hook that runs tests; one that writes more is ended. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

export interface HookFacts {
  release: string;
  revision: string;
  hosts: readonly string[];
}

export type RunHook = (name: string) => Promise<void>;

export function createHooks(directory: string, { release, revision, hosts }: HookFacts): RunHook {
  return async (name) => {
    const file = join(directory, name);
    if (!isExecutable(file)) return;
    const facts = {
      POSTERN_HOOK: name,
      POSTERN_RELEASE: release,
      POSTERN_REVISION: revision,
      POSTERN_HOSTS: hosts.join(','),
    };
    try {
      await promisify(execFile)(file, {
        env: { ...process.env, ...facts },
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      });
    } catch (error) {
      const { stderr, message } = error as Error & { stderr?: string };
      throw new DeployFailure(`hook ${name}: ${stderr?.trim() || message}`);
    }
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
