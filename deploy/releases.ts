/** `postern deploy releases`: what lies on the hosts, and what runs. */
import type { HostFacts } from './commands/facts.ts';
import { layOut } from './commands/layout.ts';
import type { DeployOptions } from './deployment.ts';
import { inParallel } from './in-parallel.ts';
import { readHostFacts } from './phases.ts';
import { openConnections } from './remote/ssh.ts';

export interface HostReleases {
  host: string;
  current: string | null;
  /** Oldest first */
  releases: HostFacts['releases'];
}

/** In the order of the inventory. Throws DeployFailure. */
export async function listReleases({ inventory }: Pick<DeployOptions, 'inventory'>): Promise<HostReleases[]> {
  const layout = layOut(inventory.root);
  const connections = openConnections(inventory);
  const found = new Map<string, HostReleases>();
  try {
    await inParallel(inventory.hosts, inventory.hostsAtOnce, async ({ name }) => {
      const { current, releases } = await readHostFacts(connections.open(name), layout);
      found.set(name, { host: name, current: current ?? null, releases });
    });
  } finally {
    await connections.close();
  }
  return inventory.hosts.flatMap(({ name }) => found.get(name) ?? []);
}

export function formatReleases(hosts: readonly HostReleases[]): string {
  return hosts
    .map(({ host, current, releases }) => {
      const lines = releases.map(({ name, revision, isVerified }) => {
        const state = name === current ? 'runs' : isVerified ? 'ran well' : 'never ran well';
        return `  ${name}  ${revision.slice(0, 12).padEnd(12)}  ${state}`;
      });
      return [host, ...(lines.length > 0 ? lines : ['  no releases yet'])].join('\n');
    })
    .join('\n');
}
