/** Health and metrics of the mta: the queue's depth and age beside ZoneMTA's own counters. */

import { once } from 'node:events';
import { createConnection } from 'node:net';
import type pg from 'pg';
import { Gauge, register } from 'prom-client';
import type { Settings } from '../config/schema.ts';
import { startMonitor } from '../lib/monitor.ts';
import { createPool } from './queue/database.ts';

/** Counting is a scan: scrapes closer together share one result. */
const COUNT_EVERY_MS = 5_000;

export async function startMtaMonitor(settings: Settings): Promise<void> {
  const pool = createPool({
    url: settings.queue.url,
    maxConnections: 2,
    applicationName: 'postern-mta-monitor',
  });
  registerGauges(pool);
  await startMonitor({
    service: 'mta',
    port: settings.mta.controlPort,
    registry: register, // ZoneMTA's counters live in the default registry
    collectsDefaults: false, // and it has asked for the process's own already
    checks: {
      queue: () => pool.query('select 1'),
      intake: () => connectTo(settings.mta.intakeHost, settings.mta.intakePort),
    },
  });
}

interface Depth {
  due: number;
  deferred: number;
  claimed: number;
  held: number;
  events: number;
  oldest_due_seconds: number;
}

function registerGauges(pool: pg.Pool): void {
  const depth = cached(() => readDepth(pool), COUNT_EVERY_MS);
  new Gauge({
    name: 'postern_queue_deliveries',
    help: 'Deliveries in the queue, by state',
    labelNames: ['state'],
    async collect() {
      const { due, deferred, claimed, held } = await depth();
      for (const [state, count] of Object.entries({ due, deferred, claimed, held }))
        this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'postern_queue_oldest_due_seconds',
    help: 'How long the oldest due delivery has waited',
    async collect() {
      this.set((await depth()).oldest_due_seconds);
    },
  });
  new Gauge({
    name: 'postern_outbox_events',
    help: 'Delivery events that the api has not acknowledged',
    async collect() {
      this.set((await depth()).events);
    },
  });
}

export async function readDepth(pool: pg.Pool): Promise<Depth> {
  const { rows } = await pool.query<Depth>(
    `select count(*) filter (where claim_id is null and held_at is null and due_at <= now())::int as due,
            count(*) filter (where claim_id is null and held_at is null and due_at > now())::int  as deferred,
            count(*) filter (where claim_id is not null)::int                                     as claimed,
            count(*) filter (where held_at is not null)::int                                      as held,
            coalesce(extract(epoch from now() - min(due_at)
              filter (where claim_id is null and held_at is null and due_at <= now())), 0)::float as oldest_due_seconds,
            (select count(*) from delivery_events)::int                                           as events
       from deliveries`,
  );
  return rows[0] ?? { due: 0, deferred: 0, claimed: 0, held: 0, events: 0, oldest_due_seconds: 0 };
}

function cached<T>(read: () => Promise<T>, forMs: number): () => Promise<T> {
  let value: Promise<T> | undefined;
  let readAt = 0;
  return () => {
    if (!value || Date.now() - readAt > forMs) {
      readAt = Date.now();
      value = read();
      value.catch(() => {
        value = undefined; // the next scrape asks again
      });
    }
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
