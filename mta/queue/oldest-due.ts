/** How long due mail has waited, by zone and by site: what is paused, held or claimed does not wait for us. */
import type pg from 'pg';
import { findFlows } from './claim-rows.ts';

export interface OldestDue {
  /** Seconds, by name; only those with something due */
  zones: Map<string, number>;
  /** By site; a domain whose site is not known stands for itself. */
  sites: Map<string, number>;
}

export interface OldestDueOptions {
  siteOf(domain: string): string | undefined;
  /** Flows that are not counted */
  isExcused?(flow: { zone: string; domain: string }): boolean;
  /** ms since the epoch */
  now?: number;
}

/** Steps through the index from flow to flow: one look-up a flow, however much waits. */
export async function readOldestDue(
  pool: pg.Pool,
  { siteOf, isExcused = () => false, now = Date.now() }: OldestDueOptions,
): Promise<OldestDue> {
  const oldest: OldestDue = { zones: new Map(), sites: new Map() };
  for (const { zone, domain, dueAt } of await findFlows(pool)) {
    const seconds = (now - dueAt) / 1000;
    if (seconds < 0 || isExcused({ zone, domain })) continue;
    raise(oldest.zones, zone, seconds);
    raise(oldest.sites, siteOf(domain) ?? domain, seconds);
  }
  return oldest;
}

/** The entries with the largest values, at most `count`. */
export function largest(entries: ReadonlyMap<string, number>, count: number): [string, number][] {
  return [...entries].sort(([, a], [, b]) => b - a).slice(0, count);
}

function raise(values: Map<string, number>, name: string, value: number): void {
  values.set(name, Math.max(values.get(name) ?? 0, value));
}
