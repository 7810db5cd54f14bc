/** What the worker does, without the process around it: one handler a queue, each job counted and logged. */
import { type Job, type JobResult, PgBoss } from 'pg-boss';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { createInvalidator } from '../../lib/rpc/invalidation.ts';
import { openTracer, type Tracer, trace } from '../../lib/tracing/tracer.ts';
import { createBlockMetrics } from '../addresses/block-metrics.ts';
import { createPool, inTransaction, type Store } from '../database.ts';
import { createIntake, type Intake } from '../mail/intake.ts';
import { createMtaControl, type MtaControl } from '../mail/mta-control.ts';
import { measureBacklog } from '../models/hand-over.ts';
import { countRestricted } from '../models/organization.ts';
import { playSandbox, type SandboxStep } from '../models/sandbox.ts';
import type { Trouble } from '../models/webhook-attempt.ts';
import { runImport } from '../suppressions/import.ts';
import { startDispatcher } from '../webhooks/dispatcher.ts';
import { createWebhookMetrics } from '../webhooks/metrics.ts';
import { bounceInbound } from './bounce-inbound.ts';
import { cancelLate } from './cancel-late.ts';
import { type HandOverJob, handOver } from './hand-over.ts';
import { type InvalidateJob, invalidate } from './invalidate.ts';
import { type LearnSpamJob, learnSpam } from './learn-spam.ts';
import {
  BOUNCE_INBOUND,
  CANCEL_LATE,
  HAND_OVER,
  IMPORT_SUPPRESSIONS,
  INVALIDATE,
  LEARN_SPAM,
  PLAY_SANDBOX,
  TELL_ORGANIZATION,
  TELL_OWNER,
} from './queues.ts';
import { createScheduleMetrics } from './schedule-metrics.ts';
import { workScheduled } from './scheduled.ts';
import { startReports } from './send-reports.ts';
import { type OrganizationNotice, tellOrganization } from './tell-organization.ts';
import { tellOwner } from './tell-owner.ts';

const FINISH_TIMEOUT_MS = 8_000;
const BOSS_CONNECTIONS = 4;
/** Two loops fetch in turns, so that one slow hand-over does not keep the next batch waiting. */
const LOOPS = 2;

const polling = {
  localConcurrency: LOOPS,
  pollingIntervalSeconds: 1,
  notifyPollingIntervalSeconds: 1,
  heartbeatRefreshSeconds: 3,
  burstWhenBatchFull: true,
  perJobResults: true,
} as const;

export interface Worker {
  store: Store;
  registry: Registry;
  close(): Promise<void>;
}

export async function startWorker(settings: Settings, log: Logger): Promise<Worker> {
  const registry = new Registry();
  const store = {
    pool: createPool(settings),
    boss: createBoss(settings, log),
    invalidator: createInvalidator({ redisUrl: settings.redis.url, log }),
  };
  const intake = createIntake(settings);
  await store.boss.start({ attempts: 5 });
  const tracer = await openTracer('worker', settings, log);
  await work(store, { intake, mta: createMtaControl(settings), tracer }, settings, registry, log);
  const reports = startReports({ store, settings, log });
  const metrics = createWebhookMetrics(store.pool, registry);
  createScheduleMetrics(store.pool, registry);
  const closeBlocks = createBlockMetrics(settings, registry, log);
  const dispatcher = startDispatcher({ store, settings, log, metrics });
  return {
    store,
    registry,
    async close() {
      await Promise.all([
        store.boss.stop({ graceful: true, timeout: FINISH_TIMEOUT_MS }),
        dispatcher.close(),
        reports.stop(),
      ]);
      intake.close();
      closeBlocks();
      await tracer.close();
      await store.invalidator.close();
      await store.pool.end();
    },
  };
}

function createBoss({ database }: Settings, log: Logger): PgBoss {
  const boss = new PgBoss({
    connectionString: database.url,
    max: BOSS_CONNECTIONS,
    application_name: 'postern-worker',
    connectionTimeoutMillis: 2_000,
    useListenNotify: true,
    migrate: false,
    createSchema: false,
    schedule: true,
    superviseIntervalSeconds: 5,
    monitorIntervalSeconds: 5,
    instanceName: 'worker',
  });
  boss.on('error', (error) => log.error({ err: error }, 'jobs.failed'));
  boss.on('warning', (warning) => log.warn({ warning }, 'jobs.warning'));
  return boss;
}

async function work(
  store: Store,
  { intake, mta, tracer }: { intake: Intake; mta: MtaControl; tracer: Tracer },
  settings: Settings,
  registry: Registry,
  log: Logger,
): Promise<void> {
  const { worker } = settings;
  const metrics = createMetrics(store, registry);
  const options = { ...polling, batchSize: Math.max(1, Math.ceil(worker.concurrency / LOOPS)) };

  await store.boss.work(HAND_OVER, options, (jobs: Job<HandOverJob>[]) =>
    settle(jobs, async ({ messageId, traceparent }) => {
      const stop = metrics.seconds.startTimer();
      const attributes = { 'postern.message_id': messageId };
      const span = tracer.resume('worker.hand_over', traceparent, { kind: 'consumer', attributes });
      const outcome = await trace(
        span,
        (here) => handOver({ store, intake, settings }, messageId, here),
        (reached) => ({ 'postern.outcome': reached }),
      ).catch((error: Error) => {
        metrics.total.inc({ outcome: 'deferred' });
        log.warn({ messageId, reason: error.message }, 'hand_over.deferred');
        throw error;
      });
      stop();
      metrics.total.inc({ outcome });
      log.debug({ messageId, outcome }, 'hand_over.finished');
    }),
  );
  await store.boss.work(INVALIDATE, options, (jobs: Job<InvalidateJob>[]) =>
    settle(jobs, (job) => invalidate(store.invalidator, job)),
  );
  await store.boss.work(BOUNCE_INBOUND, options, (jobs: Job<{ inboundMessageId: number }>[]) =>
    settle(jobs, ({ inboundMessageId }) => bounceInbound({ store, settings, log }, inboundMessageId)),
  );
  await store.boss.work(TELL_OWNER, options, (jobs: Job<Trouble>[]) =>
    settle(jobs, (trouble) => tellOwner({ store, settings, log }, trouble)),
  );
  await store.boss.work(TELL_ORGANIZATION, options, (jobs: Job<OrganizationNotice>[]) =>
    settle(jobs, (notice) => tellOrganization({ store, settings, log }, notice)),
  );
  await store.boss.work(CANCEL_LATE, options, (jobs: Job<{ messageId: number }>[]) =>
    settle(jobs, ({ messageId }) => cancelLate(mta, messageId)),
  );
  await store.boss.work(PLAY_SANDBOX, options, (jobs: Job<SandboxStep>[]) =>
    settle(jobs, (step) => inTransaction(store, (tx) => playSandbox(tx, step))),
  );
  await store.boss.work(
    IMPORT_SUPPRESSIONS,
    { ...options, batchSize: 1 },
    (jobs: Job<{ importId: number }>[]) => settle(jobs, ({ importId }) => runImport(store, importId)),
  );
  await store.boss.work(LEARN_SPAM, options, (jobs: Job<LearnSpamJob>[]) =>
    settle(jobs, (decision) => learnSpam({ store, settings }, decision)),
  );
  await workScheduled(store, settings, log);
}

/** Runs a batch side by side; each job succeeds or fails for itself. */
function settle<T>(jobs: Job<T>[], run: (data: T) => Promise<void>): Promise<JobResult[]> {
  return Promise.all(
    jobs.map(async ({ id, data }): Promise<JobResult> => {
      try {
        await run(data);
        return { id, status: 'completed' };
      } catch (error) {
        return {
          id,
          status: 'failed',
          output: { message: error instanceof Error ? error.message : String(error) },
        };
      }
    }),
  );
}

function createMetrics({ pool }: Store, registry: Registry) {
  new Gauge({
    name: 'postern_hand_over_oldest_seconds',
    help: 'How long the oldest message that the mta does not have yet has waited',
    registers: [registry],
    async collect() {
      this.set((await measureBacklog(pool)).oldestSeconds);
    },
  });
  new Gauge({
    name: 'postern_organizations_restricted',
    help: 'Organizations that are throttled or suspended',
    labelNames: ['how'],
    registers: [registry],
    async collect() {
      for (const [how, count] of Object.entries(await countRestricted(pool))) this.set({ how }, count);
    },
  });
  return {
    total: new Counter({
      name: 'postern_hand_overs_total',
      help: 'Hand-overs to the mta by outcome',
      labelNames: ['outcome'],
      registers: [registry],
    }),
    seconds: new Histogram({
      name: 'postern_hand_over_seconds',
      help: 'Duration of a hand-over that ended',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
      registers: [registry],
    }),
  };
}
