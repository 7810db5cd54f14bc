/**
 * mta: delivers mail. Starts ZoneMTA's master in this process with settings made from ours, its queue on Postgres
 * (mta/queue) and our plugins (plugins/); the master forks receivers and senders.
 *
 * Trusts: the worker, which authenticates to the intake; the queue database. Never: sends a message unsigned, accepts
 * one before it is committed, runs twice as the same instance.
 * Stops on SIGTERM, SIGINT or SIGQUIT: deliveries under way are finished, at most ten seconds, the rest stays queued.
 * Ports: intake, ZoneMTA's API and queue server on loopback; control, health and metrics (control/).
 * Settings: mta.*, queue.*, limits.*, secrets.*, sandbox.* outside production.
 */
import { loadSettings } from '../config/load.ts';
import { runMta } from './run.ts';
import { createZoneMtaConfig } from './settings.ts';

const settings = loadSettings();
await runMta(settings, createZoneMtaConfig(settings));
