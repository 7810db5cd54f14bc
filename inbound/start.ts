/**
 * The inbound process: mail from the internet for routes of customers' domains, bounces, complaints and reports.
 *
 * Haraka receives, in as many processes as the machine has cores. A recipient that nobody has is refused at RCPT; a
 * message is checked (SPF, DKIM, DMARC, ARC; spam and viruses where configured) and handed to the api byte for byte,
 * and 250 is said only after the api has committed it. While the api cannot be reached the answer is 451. Nothing is
 * kept here: any number of these may run.
 *
 * Trusts: the api, by the service token; balancers named in inbound.trustedProxies. Trusts nothing a client sends.
 * Never: relays, bounces what it has accepted, ends a message anywhere but at <CRLF>.<CRLF> (SMTP smuggling).
 * Standards: RFC 5321, 3207 (STARTTLS), 1870 (SIZE), 6152, 6531, 2920 (PIPELINING), 2034 and 3463 (enhanced codes),
 * 7208 (SPF), 6376 and 8463 (DKIM), 7489 (DMARC), 8617 (ARC), 8601 (Authentication-Results).
 * Settings: inbound.*, limits.*, hostname, mta.returnPathDomain, spam.url, virus.*, api.url, redis.url, secrets.
 */
import { AggregatorRegistry } from 'prom-client';
import { loadSettings } from '../config/load.ts';
import { createLogger } from '../lib/log.ts';
import { startMonitor } from '../lib/monitor.ts';
import { checkApi } from '../lib/rpc/check-api.ts';
import { createServiceClient } from '../lib/rpc/service-client.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { loadInboundCertificate } from './certificate.ts';
import { writeConfiguration } from './configuration.ts';
import { startWorkers } from './workers.ts';

const settings = loadSettings();
const log = createLogger('inbound', settings.log);
const shutdown = handleShutdown(log);
const registry = new AggregatorRegistry();

const rpc = createServiceClient(settings, { log });
shutdown.add('rpc', () => rpc.close());

process.env.HARAKA = writeConfiguration(settings, await loadInboundCertificate(settings));
const workers = startWorkers(settings.inbound, log);
const monitor = await startMonitor({
  service: 'inbound',
  port: settings.inbound.monitorPort,
  registry: { contentType: registry.contentType, metrics: () => registry.clusterMetrics() },
  collectsDefaults: false,
  checks: { api: () => checkApi(rpc), workers: () => workers.check() },
});
shutdown.add('monitor', () => monitor.close());
shutdown.add('workers', () => workers.stop());
