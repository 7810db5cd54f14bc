/** Which pool a message leaves from, and which address of it. */
import { hash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Pool, PoolAddress, PoolAssignment, SendingPools } from '../rpc/contracts/sending-pools.ts';

export interface Sender {
  organizationId: number;
  domain: string;
  stream: string;
}

/** What an assignment must name to be more specific than another: its domain first, then its organization, its stream. */
const WEIGHTS = { domain: 4, organizationId: 2, stream: 1 } as const;
const facets = ['domain', 'organizationId', 'stream'] as const;

/** The most specific assignment decides. Undefined: none fits, the operating system chooses the address. */
export function choosePool({ pools, assignments }: SendingPools, sender: Sender): Pool | undefined {
  const [best] = assignments
    .filter((assignment) =>
      facets.every((facet) => assignment[facet] === null || assignment[facet] === sender[facet]),
    )
    .toSorted((a, b) => weigh(b) - weigh(a));
  return best && pools.find(({ id }) => id === best.poolId);
}

function weigh(assignment: PoolAssignment): number {
  return facets.reduce((sum, facet) => sum + (assignment[facet] === null ? 0 : WEIGHTS[facet]), 0);
}

export interface Source {
  ipv4: PoolAddress | undefined;
  ipv6: PoolAddress | undefined;
}

/**
 * In the order of preference, the same for the same key. An address that comes or goes moves only its own share of the
 * keys (rendezvous hashing).
 */
export function rankAddresses(addresses: readonly PoolAddress[], key: string): PoolAddress[] {
  if (addresses.length < 2) return [...addresses];
  return addresses
    .map((entry) => ({ entry, rank: hash('sha256', `${entry.address} ${key}`) }))
    .toSorted((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ entry }) => entry);
}

/** One address of each family: the chosen one where it is among them, otherwise the preferred one. */
export function chooseSource(addresses: readonly PoolAddress[], key: string, chosen?: string): Source {
  const ranked = rankAddresses(addresses, key).toSorted(
    (a, b) => Number(b.address === chosen) - Number(a.address === chosen),
  );
  return {
    ipv4: ranked.find(({ address }) => !isIPv6(address)),
    ipv6: ranked.find(({ address }) => isIPv6(address)),
  };
}
