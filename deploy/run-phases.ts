/** Runs phases: the hooks around each, its work here and on the hosts, and a line for each of these. */
import { dirname, join } from 'node:path';
import { createHooks, type RunHook } from './hooks.ts';
import { inParallel } from './in-parallel.ts';
import type { Deployment, Phase } from './phases.ts';
import type { DeployLock } from './remote/lock.ts';
import { formatLine } from './report.ts';

export interface PhaseRunner {
  /** Throws DeployFailure, also once the lock is lost. */
  run(phase: Phase): Promise<void>;
  hook: RunHook;
}

export interface RunnerOptions {
  /** Hooks lie beside it. */
  inventoryFile: string;
  write: (line: string) => void;
}

export function createRunner(
  { inventoryFile, write }: RunnerOptions,
  deployment: Deployment,
  lock: DeployLock,
): PhaseRunner {
  const { targets, revision, inventory } = deployment;
  const hook = createHooks(join(dirname(inventoryFile), 'hooks'), {
    release: targets[0]?.release ?? '',
    revision,
    hosts: targets.map(({ host }) => host.name),
  });
  return {
    hook,
    async run({ name, local, remote, atOnce }) {
      lock.check();
      await hook(`before-${name}`);
      if (local) await reportOn(name, 'here', () => local(deployment), write);
      if (remote) {
        await inParallel(targets, atOnce(inventory), (target) =>
          reportOn(name, target.host.name, () => remote(target, deployment), write),
        );
      }
      await hook(`after-${name}`);
    },
  };
}

/** One line of a phase on a host. */
async function reportOn(
  phase: string,
  where: string,
  action: () => Promise<string | undefined>,
  write: (line: string) => void,
): Promise<void> {
  const startedAt = performance.now();
  const line = (mark: '✓' | '✗', text: string) =>
    write(formatLine(mark, phase, where, text, performance.now() - startedAt));
  try {
    const text = await action();
    if (text !== undefined) line('✓', text);
  } catch (error) {
    line('✗', '');
    throw error;
  }
}
