/** The control app over a queue database of a test's own, without ZoneMTA around it. */
import { Registry } from 'prom-client';
import { createLogger } from '../../lib/log.ts';
import { createControlApp } from '../../mta/control/app.ts';
import type { Claims } from '../../mta/queue/claims.ts';
import { Limits } from '../../mta/queue/limits.ts';
import { PaceChanges } from '../../mta/queue/pace-changes.ts';
import { Pacing } from '../../mta/queue/pacing.ts';
import { Pauses } from '../../mta/queue/pauses.ts';
import type { RunningQueue } from '../../mta/queue/running-queue.ts';
import { Sites } from '../../mta/queue/sites.ts';
import { StoredLimits } from '../../mta/queue/stored-limits.ts';
import type { TestDatabase } from './postgres.ts';
import { createClaims, createQueueDatabase, emptyQueue } from './queue.ts';

export const SERVICE_TOKEN = 'test-service-token-of-24-characters';

export interface ControlledQueue extends RunningQueue {
  claims: Claims;
  /** How often senders of events were told that there are some. */
  announced: number;
}

export function createControlledQueue(database: TestDatabase, instanceId = 'test'): ControlledQueue {
  const { pool } = database;
  const limits = new Limits({ connections: 100 });
  const sites = new Sites(pool);
  const pauses = new Pauses(pool, (domain) => queue.claims.scheduler.destinations.siteOf(domain));
  const paceChanges = new PaceChanges(pool, instanceId);
  const pacing = new Pacing({ onChange: (change) => paceChanges.note(change) });
  const claims = createClaims(database, {
    ...{ instanceId, pauses, pacing, limitOf: limits.of, sourcesOf: () => ['192.0.2.1'] },
    onSite: (domain, site) => sites.note(domain, site),
  });
  const queue: ControlledQueue = {
    ...{ pool, instanceId, claims, limits, pauses, pacing, paceChanges, sites, announced: 0 },
    storedLimits: new StoredLimits(pool, limits),
    outbox: { announce: () => void queue.announced++ },
    log: createLogger('test', { level: 'silent' }),
  };
  return queue;
}

export interface ControlReply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what a test asserts on is whatever came
  body: any;
}

export interface Control {
  call(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    headers?: object,
  ): Promise<ControlReply>;
  close(): Promise<void>;
}

export async function createControl(findQueue: () => RunningQueue | undefined): Promise<Control> {
  const app = await createControlApp({
    serviceToken: SERVICE_TOKEN,
    findQueue,
    listZones: () => ['default', 'second'],
    registry: new Registry(),
    checks: { nothing: () => undefined },
    log: createLogger('test', { level: 'silent' }),
  });
  return {
    async call(method, url, body, headers = {}) {
      const reply = await app.inject({
        ...{ method, url },
        headers: { authorization: `Bearer ${SERVICE_TOKEN}`, 'x-postern-actor': 'ada@test', ...headers },
        ...(body && { payload: body }),
      });
      const isJson = String(reply.headers['content-type']).startsWith('application/json');
      return { status: reply.statusCode, body: isJson ? reply.json() : reply.body };
    },
    close: () => app.close(),
  };
}

export interface ControlSuite {
  database: TestDatabase;
  /** A test that closes it may put another in its place. */
  queue: ControlledQueue;
  control: Control;
}

/** For the suite that calls it: a database, and for each test an empty queue with the control app over it. */
export function useControl(name: string): ControlSuite {
  const suite = {} as ControlSuite; // each test finds it filled
  before(async () => {
    suite.database = await createQueueDatabase(name);
  });
  after(() => suite.database.drop());
  beforeEach(async () => {
    await emptyQueue(suite.database);
    await emptyControl(suite.database);
    suite.queue = createControlledQueue(suite.database);
    suite.control = await createControl(() => suite.queue);
  });
  afterEach(async () => {
    await suite.control.close();
    await suite.queue.claims.close();
  });
  return suite;
}

/** Empties what emptyQueue does not. */
async function emptyControl({ pool }: TestDatabase): Promise<void> {
  await pool.query(
    'truncate queue_pauses, queue_actions, destination_limits, destination_sites, pace_changes',
  );
}
