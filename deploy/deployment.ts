/**
 * A deployment: takes the lock of all hosts, runs the phases, and goes back to the releases from before when one of them
 * fails after something visible has changed. Killed at any moment it leaves running what ran; run again it begins anew.
 */
import { findRevision, hasUncommittedChanges } from './archive.ts';
import { chooseReturn, chooseRollback, type RollbackChoice } from './check-host.ts';
import type { HostFacts } from './commands/facts.ts';
import { layOut, nameRelease } from './commands/layout.ts';
import type { Inventory } from './inventory.ts';
import {
  type Deployment,
  deployPhases,
  FIRST_PHASE_AFTER,
  FIRST_VISIBLE_PHASE,
  type Phase,
  readHostFacts,
  restartPhases,
  returnPhases,
  rollbackPhases,
  type Target,
} from './phases.ts';
import { DeployFailure } from './remote/failure.ts';
import { type DeployLock, lockHosts } from './remote/lock.ts';
import { type Connections, openConnections } from './remote/ssh.ts';
import { createRunner, type RunnerOptions } from './run-phases.ts';

export interface DeployOptions extends RunnerOptions {
  inventory: Inventory;
  /** Aborted when no further phase is to begin */
  signal: AbortSignal;
}

export interface Outcome {
  release: string;
  revision: string;
  hosts: string[];
}

const NO_FACTS = { user: '', isPrepared: false, freeMegabytes: 0, programs: [], releases: [] };

/** Brings a revision of the checkout onto all hosts. Throws DeployFailure. */
export async function deploy(
  options: DeployOptions & { source: string; revision: string },
): Promise<Outcome> {
  const { inventory, source, write } = options;
  const revision = await findRevision(source, options.revision);
  if (await hasUncommittedChanges(source)) write('  uncommitted changes are not deployed');
  const name = nameRelease(new Date());
  return onHosts(options, `deploy ${revision.slice(0, 12)}`, async ({ connections, lock }) => {
    const targets = inventory.hosts.map(({ name: hostName, roles }): Target => {
      return { host: connections.open(hostName), roles, facts: NO_FACTS, release: name };
    });
    const deployment: Deployment = {
      ...{ inventory, layout: layOut(inventory.root), targets, source, revision },
      ...{ isRollback: false, isForced: false },
    };
    const runner = createRunner(options, deployment, lock);
    let phase: string | undefined;
    try {
      for (const next of deployPhases) {
        options.signal.throwIfAborted();
        phase = next.name;
        await runner.run(next);
      }
    } catch (error) {
      await answerFailure(options, deployment, lock, phase, error);
      throw error;
    } finally {
      deployment.archive?.remove();
    }
    return { release: name, revision, hosts: inventory.hosts.map((host) => host.name) };
  });
}

/** Has every process start anew from the release that runs, to read changed settings. Throws DeployFailure. */
export async function restartAll(options: DeployOptions): Promise<Outcome> {
  const choose = ({ current }: HostFacts) =>
    current === undefined
      ? { ok: false as const, reason: 'nothing runs yet' }
      : { ok: true as const, release: current };
  return withReleasesOnHosts(options, choose, 'restart', restartPhases, {
    isRollback: false,
    isForced: true,
  });
}

/** Back to the release from before, host by host, or to the named one. Throws DeployFailure. */
export async function rollBack(options: DeployOptions & { to?: string }): Promise<Outcome> {
  const choose = (facts: HostFacts) => chooseRollback(facts, options.to);
  const kind = { isRollback: true, isForced: false };
  return withReleasesOnHosts(options, choose, 'rollback', rollbackPhases, kind);
}

/** Phases with releases that the hosts have already. */
async function withReleasesOnHosts(
  options: DeployOptions,
  choose: (facts: HostFacts) => RollbackChoice,
  purpose: string,
  phases: readonly Phase[],
  kind: Pick<Deployment, 'isRollback' | 'isForced'>,
): Promise<Outcome> {
  const { inventory } = options;
  const layout = layOut(inventory.root);
  return onHosts(options, purpose, async ({ connections, lock }) => {
    const targets = await Promise.all(
      inventory.hosts.map(async ({ name, roles }): Promise<Target> => {
        const host = connections.open(name);
        const facts = await readHostFacts(host, layout);
        const choice = choose(facts);
        if (!choice.ok) throw new DeployFailure(`${name}: ${choice.reason}`);
        return { host, roles, facts, release: choice.release };
      }),
    );
    const release = targets[0]?.release ?? '';
    const revision = revisionOf(targets);
    await runPhases(phases, options, { inventory, layout, targets, source: '', revision, ...kind }, lock);
    return { release, revision, hosts: inventory.hosts.map((host) => host.name) };
  });
}

async function onHosts<T>(
  { inventory }: DeployOptions,
  purpose: string,
  action: (context: { connections: Connections; lock: DeployLock }) => Promise<T>,
): Promise<T> {
  const connections = openConnections(inventory);
  try {
    const hosts = inventory.hosts.map(({ name }) => connections.open(name));
    const lock = await lockHosts(hosts, layOut(inventory.root), purpose);
    try {
      return await action({ connections, lock });
    } finally {
      await lock.release();
    }
  } finally {
    await connections.close();
  }
}

/** Goes back where the release may be seen already, and is not known to be well. */
async function answerFailure(
  options: DeployOptions,
  deployment: Deployment,
  lock: DeployLock,
  phase: string | undefined,
  error: unknown,
): Promise<void> {
  const names = deployPhases.map(({ name }) => name);
  const failed = names.indexOf(phase ?? '');
  if (failed < names.indexOf(FIRST_VISIBLE_PHASE) || failed >= names.indexOf(FIRST_PHASE_AFTER)) return;
  options.write(`  ${phase} failed: ${error instanceof Error ? error.message : String(error)}`);
  const targets = deployment.targets.flatMap((target): Target[] => {
    const release = chooseReturn(target.facts);
    return release === undefined ? [] : [{ ...target, release }];
  });
  if (targets.length === 0) {
    options.write('  there is no earlier release to go back to');
    return;
  }
  options.write('  going back to the release from before');
  const signal = new AbortController().signal; // an interrupt has brought us here: this is to be finished
  const back = { ...deployment, targets, revision: revisionOf(targets), isRollback: true };
  await runPhases(returnPhases, { ...options, signal }, back, lock);
}

/** Of the release that the first host has, or is to have again */
function revisionOf([first]: readonly Target[]): string {
  return first?.facts.releases.find(({ name }) => name === first.release)?.revision ?? '';
}

async function runPhases(
  phases: readonly Phase[],
  options: DeployOptions,
  deployment: Deployment,
  lock: DeployLock,
): Promise<void> {
  const runner = createRunner(options, deployment, lock);
  for (const phase of phases) {
    options.signal.throwIfAborted();
    await runner.run(phase);
  }
  if (deployment.isRollback) await runner.hook('after-rollback');
}
