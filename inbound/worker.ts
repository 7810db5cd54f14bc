/**
 * One of the processes that receive: Haraka as npm brings it, with our rules around its connections and our plugins.
 * Started by inbound/start.ts, which holds the listening socket, counts the clients and adds the metrics up.
 */
import { setServers } from 'node:dns';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';
import { loadSettings } from '../config/load.ts';
import { type Certificate, readExpiry } from '../lib/certificate.ts';
import { watchCertificate } from '../lib/certificate-watch.ts';
import { createLogger } from '../lib/log.ts';
import { createServiceClient } from '../lib/rpc/service-client.ts';
import { deriveKey } from '../lib/secrets.ts';
import { handleShutdown } from '../lib/shutdown.ts';
import { createAdmissions } from './admission.ts';
import { loadInboundCertificate } from './certificate.ts';
import { applyConnectionRules } from './connection-rules.ts';
import { setContext } from './context.ts';
import { harakaServer, harakaTls } from './haraka.ts';
import { addInboundGauges, createInboundMetrics } from './metrics.ts';
import { createResolver, inboundNameservers } from './resolver.ts';

const settings = loadSettings();
const log = createLogger('inbound', settings.log);
const shutdown = handleShutdown(log);
const registry = new Registry();
new AggregatorRegistry(); // listens for the question after the figures
AggregatorRegistry.setRegistries(registry);
collectDefaultMetrics({ register: registry });

const rpc = createServiceClient(settings, { log, registry });
shutdown.add('rpc', () => rpc.close());

// Before Haraka is loaded: it makes resolvers of its own.
const nameservers = inboundNameservers(settings);
if (nameservers.length > 0) setServers(nameservers);
const metrics = createInboundMetrics(registry);
const resolver = createResolver(nameservers);
const keys = {
  returnPathKey: deriveKey(settings.secrets.key, 'return-path'),
  forwardKey: deriveKey(settings.secrets.key, 'forward'),
};
setContext({ settings, log, rpc, metrics, admissions: createAdmissions(), resolver, ...keys });

const { sessions, budget } = applyConnectionRules(settings);
addInboundGauges(registry, { sessions: () => sessions.count, bufferedBytes: () => budget.usedBytes });

const readCertificate = () => loadInboundCertificate(settings);
const certificate = await readCertificate();
metrics.certificateExpiry.set(readExpiry(certificate) / 1_000);
const server = harakaServer();
const stopWatching = watchCertificate({
  current: certificate,
  load: readCertificate,
  use: useCertificate,
  intervalMs: settings.gateway.certificateCheckSeconds * 1_000,
  log,
});
shutdown.add('certificate', stopWatching);

shutdown.add('sessions', () => sessions.drain());
shutdown.add('listeners', () => server.stopListeners());
// The other process is gone, and with it the listening socket.
process.once('disconnect', () => void shutdown.now());
server.createServer();

/** For handshakes from now on. */
function useCertificate({ cert, key }: Certificate): void {
  const tls = harakaTls();
  metrics.certificateExpiry.set(readExpiry({ cert, key }) / 1_000);
  tls.certsByHost.set('*.key', [Buffer.from(key)]);
  tls.certsByHost.set('*.cert', [Buffer.from(cert)]);
  tls.load_default_opts();
}
