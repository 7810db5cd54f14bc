/** What the queue counts. Kept in the master's registry, served by monitor.ts. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { createDeliveryMetrics } from './delivery-metrics.ts';
import type { EndedDelivery } from './ended-delivery.ts';
import type { ClaimedRow } from './rows.ts';
import { addRpcCounts, type RpcCount } from './rpc-counts.ts';

export interface QueueMetrics {
  /** A claim from the database: how many rows, how long it took. */
  claimed(rows: number, durationMs: number): void;
  /** A delivery has ended after so long in a sender's hands. */
  ended(ending: EndedDelivery, row: ClaimedRow, durationMs: number, siteOf: () => string | undefined): void;
  /** Of the senders' SMTP connections since the last report. */
  connections(report: { opened: number; reused: number }): void;
  /** Of the senders' calls of the api since the last report. */
  lookups(counts: readonly RpcCount[]): void;
}

export interface QueueGauges {
  waitingRows(): number;
  activeRows(): number;
  flows(): number;
  slowedDestinations(): number;
}

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createQueueMetrics(registry: Registry, gauges: QueueGauges): QueueMetrics {
  const registers = [registry];
  const claimSeconds = new Histogram({
    name: 'postern_queue_claim_seconds',
    help: 'Duration of a batch of claims from the database',
    buckets: SECONDS,
    registers,
  });
  const claimedRows = new Counter({
    name: 'postern_queue_claimed_total',
    help: 'Deliveries claimed from the database',
    registers,
  });
  const deliverySeconds = new Histogram({
    name: 'postern_delivery_seconds',
    help: 'Duration of an attempt, from the hand-out to the committed ending',
    labelNames: ['type'],
    buckets: SECONDS,
    registers,
  });
  const countEnding = createDeliveryMetrics(registry);
  const connections = new Counter({
    name: 'postern_smtp_connections_total',
    help: 'Outgoing SMTP connections by use',
    labelNames: ['use'],
    registers,
  });
  for (const [name, help, read] of [
    ['postern_queue_memory_rows', 'Claimed deliveries in memory that wait for a sender', gauges.waitingRows],
    ['postern_queue_active_rows', 'Deliveries in the hands of senders', gauges.activeRows],
    ['postern_queue_flows', 'Flows known to the scheduler', gauges.flows],
    [
      'postern_queue_slowed_destinations',
      'Destinations that push back and get less than their limit',
      gauges.slowedDestinations,
    ],
  ] as const) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  return {
    claimed(rows, durationMs) {
      claimSeconds.observe(durationMs / 1000);
      claimedRows.inc(rows);
    },
    ended(ending, row, durationMs, siteOf) {
      deliverySeconds.observe({ type: ending.type }, durationMs / 1000);
      countEnding(ending, row, siteOf);
    },
    lookups: (counts) => addRpcCounts(registry, counts),
    connections({ opened, reused }) {
      connections.inc({ use: 'opened' }, opened);
      connections.inc({ use: 'reused' }, reused);
    },
  };
}
