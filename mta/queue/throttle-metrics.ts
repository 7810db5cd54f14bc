/** What paces, shared limits and addresses tell of themselves, in the master's registry (monitor.ts serves it). */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { PaceChange, Pacing } from './pacing.ts';

/** There may be as many sites as recipient domains. */
const MAX_PACES = 50;

export interface ThrottleMetrics {
  paceChanged(change: PaceChange): void;
  /** A delivery waits, and there was no token. */
  tokenDenied(): void;
}

export interface ThrottleGauges {
  paces(): ReturnType<Pacing['list']>;
  /** Whether Redis answers */
  isTogether(): boolean;
  instances(): number;
  /** By address, the sites that block it */
  blocks(): ReadonlyMap<string, number>;
}

export function createThrottleMetrics(registry: Registry, read: ThrottleGauges): ThrottleMetrics {
  const registers = [registry];
  const changes = new Counter({
    name: 'postern_pace_changes_total',
    help: 'Changes of paces by this instance, by what caused them: a bounce class, or clean',
    labelNames: ['trigger', 'direction'],
    registers,
  });
  const denied = new Counter({
    name: 'postern_limit_denied_total',
    help: 'Times that mail waited for a limit, asked, and there was no token',
    registers,
  });
  for (const [name, help, key] of [
    ['postern_pace_rate', 'Deliveries a second of the slowest paces', 'rate'],
    ['postern_pace_concurrency', 'Deliveries at a time of the slowest paces', 'concurrency'],
  ] as const) {
    new Gauge({
      ...{ name, help, registers, labelNames: ['address', 'site'] },
      collect() {
        this.reset();
        const slowest = read.paces().toSorted((a, b) => a.rate - b.rate);
        for (const pace of slowest.slice(0, MAX_PACES))
          this.set({ address: pace.address, site: pace.site }, pace[key]);
      },
    });
  }
  for (const [name, help, value] of [
    [
      'postern_limits_shared',
      '1: limits are kept together with other instances; 0: Redis does not answer, each keeps to its part',
      () => Number(read.isTogether()),
    ],
    ['postern_instances', 'Instances of this queue that were seen in the last ten seconds', read.instances],
  ] as const) {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value());
      },
    });
  }
  new Gauge({
    name: 'postern_address_blocks',
    help: 'Sites that block a local address',
    ...{ registers, labelNames: ['address'] },
    collect() {
      this.reset();
      for (const [address, sites] of read.blocks()) this.set({ address }, sites);
    },
  });
  return {
    paceChanged({ trigger, before, pace }) {
      const isLower = pace.rate < before.rate || pace.concurrency < before.concurrency;
      changes.inc({ trigger, direction: isLower ? 'down' : 'up' });
    },
    tokenDenied: () => denied.inc(),
  };
}
