/**
 * mta: delivers mail. Starts ZoneMTA's master in this process with settings made from ours, its queue on Postgres
 * (mta/queue) and our plugins (plugins/); the master forks receivers and senders.
 *
 * Trusts: the worker, which authenticates to the intake; the queue database. Never: sends a message unsigned, accepts
 * one before it is committed, runs twice as the same instance.
 * Stops on SIGTERM: deliveries under way are finished, at most ten seconds, the rest stays queued.
 * Ports: intake, ZoneMTA's API and queue server on loopback; health and metrics (monitor.ts).
 * Settings: mta.*, queue.*, limits.*, secrets.*, sandbox.* outside production.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { startMtaMonitor } from './monitor.ts';
import { createZoneMtaConfig } from './settings.ts';
import { startZoneMta } from './zone-mta.ts';

const settings = loadSettings();
const log = createLogger('mta', settings.log);
const preload = join(import.meta.dirname, 'preload.ts');

const directory = join(settings.directory, 'mta');
mkdirSync(directory, { recursive: true });
const configFile = join(directory, 'zone-mta.json');
writeFileSync(configFile, JSON.stringify(createZoneMtaConfig(settings), null, 2), { mode: 0o600 });

process.env.NODE_CONFIG_PATH = configFile;
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import=${pathToFileURL(preload).href}`.trim();
process.env.POSTERN_QUEUE_BACKEND = settings.queue.backend;

process.on('unhandledRejection', (error) => {
  log.fatal({ err: error }, 'process.crashed');
  process.exit(1);
});

await import('./preload.ts');
await startMtaMonitor(settings);
startZoneMta();
