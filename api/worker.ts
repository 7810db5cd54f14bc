/**
 * The worker: runs the jobs that the api has committed, and sends webhooks. Any number of them may run.
 *
 * Each job belongs to one worker at a time, shown by a heartbeat; a worker that is killed loses its jobs to the others
 * after about 15 seconds. Jobs are woken by NOTIFY and, should that be lost, by a poll each second. With Postgres down
 * nothing runs, and everything goes on when it is back; with the mta down, mail waits here as jobs.
 * On SIGTERM it takes no new job, finishes those in hand, and goes.
 *
 * Trusts: the database, the mta's intake. Never: connects to an address that is not public (webhooks/address-policy.ts),
 * follows a redirect.
 * Settings: database, redis, secrets, mta.intake*, worker, webhooks, queue.lifetimeSeconds.
 */
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { startMonitor } from '../lib/monitor.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { trustAuthorities } from '../lib/tls/authorities.ts';
import { startWorker } from './jobs/runner.ts';

const settings = loadSettings();
const log = createLogger('worker', settings.log);
const shutdown = handleShutdown(log);
trustAuthorities(settings);

const worker = await startWorker(settings, log);
shutdown.add('worker', () => worker.close());

const monitor = await startMonitor({
  service: 'worker',
  port: settings.worker.port,
  registry: worker.registry,
  checks: { database: () => worker.store.pool.query('select 1') },
});
shutdown.add('monitor', () => monitor.close());
log.info({ port: settings.worker.port }, 'worker.started');
