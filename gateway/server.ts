/**
 * The gateway process: SMTP submission (RFC 6409) for applications that speak SMTP rather than HTTP.
 *
 * Clients authenticate with an API token, over TLS only, and hand over messages in the name of the token's own
 * domain. A message goes to the api byte for byte, Bcc aside, and 250 is said only after the api has committed it;
 * while the api cannot be reached the answer is 451. Nothing is kept here: any number of gateways may run. They count
 * failed AUTHs together in Redis, and without it each alone.
 *
 * Trusts: the api, by the service token. Trusts nothing a client sends.
 * Never: offers AUTH without TLS, logs a password or a token, relays for anybody without a credential, takes a
 * message with a bare CR, a bare LF or a NUL (SMTP smuggling).
 * Standards: RFC 5321, 6409, 8314, 3207 (STARTTLS), 4954 (AUTH), 1870 (SIZE), 6152 (8BITMIME), 6531 (SMTPUTF8),
 * 2920 (PIPELINING), 2034 and 3463 (enhanced codes), 8996 (no TLS before 1.2).
 * Settings: gateway.*, limits.*, hostname, api.url, redis.url, secrets.
 */
import { Registry } from 'prom-client';
import { loadSettings } from '../config/load.ts';
import { loadCertificate } from '../lib/certificate.ts';
import { watchCertificate } from '../lib/certificate-watch.ts';
import { createLogger } from '../lib/log.ts';
import { startMonitor } from '../lib/monitor.ts';
import { checkApi } from '../lib/rpc/check-api.ts';
import { createServiceClient } from '../lib/rpc/service-client.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { openTracer } from '../lib/tracing/tracer.ts';
import { createAuthenticationThrottle } from './authentication-throttle.ts';
import { createGateway } from './gateway.ts';

const settings = loadSettings();
const log = createLogger('gateway', settings.log);
const shutdown = handleShutdown(log);
const registry = new Registry();

const rpc = createServiceClient(settings, { log, registry });
shutdown.add('rpc', () => rpc.close());

const monitor = await startMonitor({
  service: 'gateway',
  port: settings.gateway.monitorPort,
  registry,
  checks: { api: () => checkApi(rpc) },
});
shutdown.add('monitor', () => monitor.close());

const { directory, hostname } = settings;
const readCertificate = () => loadCertificate({ ...settings.gateway, directory, hostname });
const certificate = await readCertificate();
const throttle = createAuthenticationThrottle({ ...settings.gateway, redisUrl: settings.redis.url, log });
shutdown.add('throttle', () => throttle.close());
const tracer = await openTracer('gateway', settings, log);
shutdown.add('tracer', () => tracer.close());
const gateway = createGateway({ settings, certificate, rpc, throttle, tracer, log, registry });
shutdown.add('gateway', () => gateway.close());
const stopWatching = watchCertificate({
  current: certificate,
  load: readCertificate,
  use: (renewed) => gateway.useCertificate(renewed),
  intervalMs: settings.gateway.certificateCheckSeconds * 1_000,
  log,
});
shutdown.add('certificate', stopWatching);
log.info({ ports: await gateway.listen() }, 'gateway.started');
