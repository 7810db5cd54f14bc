/**
 * What the senders have asked the api and its cache. Only the master's metrics are scraped, so each sender reports with
 * its endings what its own counter has gained since the last time.
 */
import { Counter, type Registry } from 'prom-client';
import { LOOKUPS_METRIC } from '../../lib/rpc/metrics.ts';

export interface RpcCount {
  contract: string;
  outcome: string;
  count: number;
}

/** @returns a function that tells what came since it was last called */
export function watchRpcCounts(registry: Registry): () => Promise<RpcCount[]> {
  const told = new Map<string, number>();
  return async () => {
    const values = (await registry.getSingleMetric(LOOKUPS_METRIC)?.get())?.values ?? [];
    return values.flatMap(({ labels, value }) => {
      const { contract = '', outcome = '' } = labels as Record<string, string>;
      const key = `${contract} ${outcome}`;
      const count = value - (told.get(key) ?? 0);
      told.set(key, value);
      return count > 0 ? [{ contract, outcome, count }] : [];
    });
  };
}

/** Adds them to the master's own. */
export function addRpcCounts(registry: Registry, counts: readonly RpcCount[]): void {
  const counter = registry.getSingleMetric(LOOKUPS_METRIC);
  if (!(counter instanceof Counter)) return; // no plugin of the master has asked anything yet
  for (const { contract, outcome, count } of counts) counter.inc({ contract, outcome }, count);
}
