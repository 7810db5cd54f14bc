/**
 * The phases of a deployment, in their order. Each may be run again after it was killed; each says in a few words, host by
 * host, what it did. Until `switch` nothing that runs is touched.
 */
import { createReadStream } from 'node:fs';
import { type Archive, archiveRevision } from './archive.ts';
import { chooseReturn, findHostProblems } from './check-host.ts';
import { askFacts, type HostFacts, readFacts } from './commands/facts.ts';
import type { Layout } from './commands/layout.ts';
import { checkMigrations, migrate, readMigrations, restart, verify } from './commands/programs.ts';
import { completeRelease, receiveRelease, removeReleases, switchTo } from './commands/release.ts';
import type { Inventory, Role } from './inventory.ts';
import { choosePrunable } from './prune.ts';
import { DeployFailure } from './remote/failure.ts';
import type { RemoteHost } from './remote/ssh.ts';

/** A host within a deployment. */
export interface Target {
  host: RemoteHost;
  roles: readonly Role[];
  facts: HostFacts;
  /** Name of the release that is to run there */
  release: string;
}

export interface Deployment {
  inventory: Inventory;
  layout: Layout;
  targets: readonly Target[];
  /** The checkout, and its revision; in a rollback that of the release gone back to */
  source: string;
  revision: string;
  /** Made by `build` */
  archive?: Archive;
  isRollback: boolean;
  /** Also processes that run from the release already */
  isForced: boolean;
}

export interface Phase {
  name: string;
  /** Of the work on hosts */
  atOnce(inventory: Inventory): number;
  /** Here */
  local?(deployment: Deployment): Promise<string>;
  /** On each host. @returns undefined where it has nothing to do there */
  remote?(target: Target, deployment: Deployment): Promise<string | undefined>;
}

const hostsAtOnce = ({ hostsAtOnce }: Inventory) => hostsAtOnce;

const check: Phase = {
  name: 'check',
  atOnce: hostsAtOnce,
  async remote(target, { layout, inventory }) {
    target.facts = await readHostFacts(target.host, layout);
    const problems = findHostProblems(target.facts, layout, inventory);
    if (problems.length > 0) throw new DeployFailure(`${target.host.name}: ${problems.join('\n  ')}`);
    return target.facts.current ? `runs ${target.facts.current}` : 'nothing runs yet';
  },
};

const build: Phase = {
  name: 'build',
  atOnce: hostsAtOnce,
  async local(deployment) {
    deployment.archive = await archiveRevision(deployment.source, deployment.revision);
    return `${deployment.revision.slice(0, 12)}, ${Math.ceil(deployment.archive.bytes / 1_024)} KB`;
  },
};

const upload: Phase = {
  name: 'upload',
  atOnce: hostsAtOnce,
  async remote({ host, release: name }, { layout, revision, archive }) {
    if (!archive) throw new Error('upload comes after build');
    await host.run(receiveRelease(layout, { name, revision }), createReadStream(archive.file));
    return `releases/${name}`;
  },
};

const release: Phase = {
  name: 'release',
  atOnce: hostsAtOnce,
  remote: async ({ host, release: name }, { layout }) =>
    (await host.run(completeRelease(layout, name))).trim().split('\n').at(-1),
};

const migrations: Phase = {
  name: 'migrate',
  atOnce: hostsAtOnce,
  async remote({ host, roles, facts, release: name }, { layout }) {
    if (!roles.includes('api') && !roles.includes('mta')) return undefined;
    // What runs now runs on meanwhile; and there is what is gone back to if this one fails.
    for (const other of new Set([facts.current, chooseReturn(facts)]))
      if (other !== undefined) await host.run(checkMigrations(layout, name, other, roles));
    const applied = readMigrations(await host.run(migrate(layout, name, roles)));
    return applied.length > 3 ? `${applied.length} migrations` : applied.join(', ') || 'up to date';
  },
};

/** Of a rollback: the code gone back to meets the schema of what runs now. */
const checkSchema: Phase = {
  name: 'check',
  atOnce: hostsAtOnce,
  async remote({ host, roles, facts, release: name }, { layout }) {
    if (!facts.current || facts.current === name) return undefined;
    await host.run(checkMigrations(layout, facts.current, name, roles));
    return `releases/${name} can run on the schema`;
  },
};

const switching: Phase = {
  name: 'switch',
  atOnce: hostsAtOnce,
  async remote({ host, release: name }, { layout, isRollback }) {
    await host.run(switchTo(layout, name, isRollback ? 'rollback' : 'deploy'));
    return `current is releases/${name}`;
  },
};

const restarting: Phase = {
  name: 'restart',
  atOnce: ({ restartsAtOnce }) => restartsAtOnce,
  async remote({ host, roles, release: name }, { layout, inventory, isRollback, isForced }) {
    return (await host.run(restart(layout, name, { roles, ...inventory, isRollback, isForced }))).trim();
  },
};

const verifying: Phase = {
  name: 'verify',
  atOnce: hostsAtOnce,
  remote: async ({ host, roles, release: name }, { layout, inventory }) =>
    (await host.run(verify(layout, name, { roles, ...inventory }))).trim(),
};

const prune: Phase = {
  name: 'prune',
  atOnce: hostsAtOnce,
  async remote({ host }, { layout, inventory }) {
    const facts = await readHostFacts(host, layout);
    const names = choosePrunable(facts, inventory.keepReleases);
    if (names.length > 0) await host.run(removeReleases(layout, names));
    return `${names.length} removed, ${facts.releases.length - names.length} kept`;
  },
};

export const deployPhases: readonly Phase[] = [
  ...[check, build, upload, release, migrations],
  ...[switching, restarting, verifying, prune],
];
/** After a failed deployment without the check: its migrations were made for what is gone back to. */
export const returnPhases: readonly Phase[] = [switching, restarting, verifying];
export const restartPhases: readonly Phase[] = [restarting, verifying];
export const rollbackPhases: readonly Phase[] = [checkSchema, ...returnPhases];
/** From its beginning on, a failure is answered by going back. */
export const FIRST_VISIBLE_PHASE = 'switch';
/** From its beginning on, the release runs and is well. */
export const FIRST_PHASE_AFTER = 'prune';

export async function readHostFacts(host: RemoteHost, layout: Layout): Promise<HostFacts> {
  return readFacts(await host.run(askFacts(layout)));
}
