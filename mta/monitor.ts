/** Health and metrics of the mta: the queue's depth, age and counters beside ZoneMTA's own. */

import { once } from 'node:events';
import { createConnection } from 'node:net';
import type pg from 'pg';
import { Gauge, type Registry, register } from 'prom-client';
import type { Settings } from '../config/schema.ts';
import type { Check } from '../lib/monitor.ts';
import { readCounts } from './queue/counters.ts';
import { createPool } from './queue/database.ts';
import { largest, readOldestDue } from './queue/oldest-due.ts';
import { runningQueue } from './queue/running-queue.ts';

/** Counting is a scan: scrapes closer together share one result, and a long scan is good for fifty times as long. */
const COUNT_EVERY_MS = 5_000;
const REST = 50;
/** There may be as many sites as recipient domains. */
const MAX_SITES = 20;

export interface Monitoring {
  registry: Registry;
  checks: Record<string, Check>;
}

/** Once a process. */
export function createMonitoring({ queue, mta }: Settings): Monitoring {
  const pool = createPool({ url: queue.url, maxConnections: 2, applicationName: 'postern-mta-monitor' });
  if (queue.backend === 'postgres') registerGauges(pool);
  return {
    registry: register, // ZoneMTA's counters live in the default registry, and those of the process
    checks: {
      ...(queue.backend === 'postgres' && { queue: () => pool.query('select 1') }),
      intake: () => connectTo(mta.intakeHost, mta.intakePort),
    },
  };
}

interface Depth {
  due: number;
  deferred: number;
  claimed: number;
  held: number;
  paused: number;
  events: number;
  /** Age of the oldest event that is to be shipped */
  outboxSeconds: number;
}

function registerGauges(pool: pg.Pool): void {
  const depth = cached(() => readDepth(pool), COUNT_EVERY_MS);
  const counts = cached(() => readCounts(pool), COUNT_EVERY_MS);
  const oldestDue = cached(() => readOldestDue(pool, { siteOf }), COUNT_EVERY_MS);
  gauge('postern_queue_deliveries', 'Deliveries in the queue, by state', 'state', async () => {
    const { events: _, outboxSeconds: __, ...states } = await depth();
    return Object.entries(states);
  });
  gauge('postern_queue_paused', 'Deliveries that wait for a pause to end', undefined, async () => [
    ['', (await depth()).paused],
  ]);
  gauge('postern_outbox_events', 'Delivery events that the api has not acknowledged', undefined, async () => [
    ['', (await depth()).events],
  ]);
  gauge(
    'postern_outbox_oldest_seconds',
    'Age of the oldest event that the api has not acknowledged',
    undefined,
    async () => [['', (await depth()).outboxSeconds]],
  );
  gauge(
    'postern_queue_total',
    'Deliveries since the queue was made, by what became of them',
    'name',
    async () => {
      const { drift: _, ...totals } = await counts();
      return Object.entries(totals);
    },
  );
  gauge(
    'postern_queue_drift',
    'Accepted deliveries that are nowhere; not 0 is a defect',
    undefined,
    async () => [['', (await counts()).drift]],
  );
  gauge(
    'postern_queue_oldest_due_seconds',
    'How long the oldest due delivery has waited',
    'zone',
    async () => [...(await oldestDue()).zones],
  );
  gauge(
    'postern_queue_site_oldest_due_seconds',
    'How long the oldest due delivery has waited, of the sites where it is longest',
    'site',
    async () => largest((await oldestDue()).sites, MAX_SITES),
  );
}

/** A gauge that is read when it is scraped; what is no longer named disappears. */
function gauge(
  name: string,
  help: string,
  label: string | undefined,
  read: () => Promise<[string, number][]>,
): void {
  new Gauge({
    name,
    help,
    labelNames: label === undefined ? [] : [label],
    async collect() {
      const values = await read();
      this.reset();
      for (const [key, value] of values) this.set(label === undefined ? {} : { [label]: key }, value);
    },
  });
}

function siteOf(domain: string): string | undefined {
  return runningQueue()?.claims.scheduler.destinations.siteOf(domain);
}

async function readDepth(pool: pg.Pool): Promise<Depth> {
  const { rows } = await pool.query<Depth>(
    `select count(*) filter (where state = 'due')::int            as due,
            count(*) filter (where state = 'deferred')::int       as deferred,
            count(*) filter (where state = 'claimed')::int        as claimed,
            count(*) filter (where state = 'held')::int           as held,
            count(*) filter (where state = 'paused')::int         as paused,
            (select count(*) from delivery_events)::int           as events,
            (select coalesce(extract(epoch from now() - min(created_at)), 0)::float
               from delivery_events where parked_reason is null)  as "outboxSeconds"
       from (select case when claim_id is not null then 'claimed'
                         when held_at is not null then 'held'
                         when paused_by is not null then 'paused'
                         when due_at > now() then 'deferred'
                         else 'due'
                    end as state
               from deliveries) d`,
  );
  return rows[0] ?? { due: 0, deferred: 0, claimed: 0, held: 0, paused: 0, events: 0, outboxSeconds: 0 };
}

function cached<T>(read: () => Promise<T>, forMs: number): () => Promise<T> {
  let value: Promise<T> | undefined;
  let validUntil = 0;
  return () => {
    const startedAt = performance.now();
    if (value && startedAt <= validUntil) return value;
    validUntil = Number.POSITIVE_INFINITY; // while it is read
    value = read();
    value.then(
      () => {
        const now = performance.now();
        validUntil = now + Math.max(forMs, (now - startedAt) * REST);
      },
      () => {
        value = undefined; // the next scrape asks again
      },
    );
    return value;
  };
}

async function connectTo(host: string, port: number): Promise<void> {
  const socket = createConnection({ host, port });
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
