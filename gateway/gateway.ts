/** The gateway without its process: three listeners, the limits in front of them, and the SMTP servers behind. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import type { Registry } from 'prom-client';
import type { Settings } from '../config/schema.ts';
import { type Certificate, readExpiry } from '../lib/certificate.ts';
import type { Logger } from '../lib/log.ts';
import { MemoryBudget } from '../lib/memory-budget.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { noTracer, type Tracer } from '../lib/tracing/tracer.ts';
import { Admission } from './admission.ts';
import type { AuthenticationThrottle } from './authentication-throttle.ts';
import type { GatewayContext } from './context.ts';
import { addGauges, createGatewayMetrics, type GatewayMetrics } from './metrics.ts';
import { SendingPauses } from './sending-pauses.ts';
import { SubmissionServer } from './submission-server.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;
const MAX_ERRORS = 100;
const MAX_IDLE_COMMANDS = 100;
/** Within the ten seconds a process has to end (lib/shutdown.ts). */
const DRAIN_MS = 8_000;
const DRAIN_POLL_MS = 50;

export interface GatewayOptions {
  settings: Pick<Settings, 'hostname' | 'gateway' | 'limits'>;
  certificate: Certificate;
  rpc: Pick<RpcClient, 'call'>;
  throttle: AuthenticationThrottle;
  tracer?: Tracer;
  log: Logger;
  registry: Registry;
  /** How long a TLS handshake may take, however slowly it drips in (TL-8) */
  handshakeTimeoutMs?: number;
}

export interface Gateway {
  /** Opens the listeners; port 0 of the settings is any free one. Rejects when a port is taken. */
  listen(): Promise<Ports>;
  /** For handshakes from now on; open sessions stay. Throws, and changes nothing, where it is no valid pair. */
  useCertificate(certificate: Certificate): void;
  /** Takes no new session, lets messages that are coming in be answered, ends all others with 421. */
  close(): Promise<void>;
}

export interface Ports {
  starttls: number;
  tls: number;
  alternative: number;
}

export function createGateway(options: GatewayOptions): Gateway {
  const { host, starttlsPort, tlsPort, alternativePort } = options.settings.gateway;
  const { log } = options;
  const admission = new Admission(options.settings.gateway, log);
  const metrics = createGatewayMetrics(options.registry);
  const servers = createServers(options, metrics, admission);
  const handshakes = createHandshakes(servers.tls, options);
  const listeners = createListeners(servers.starttls, handshakes, admission);
  metrics.certificateExpiry.set(readExpiry(options.certificate) / 1_000);
  return {
    async listen() {
      return {
        starttls: await listen(listeners.starttls, starttlsPort, host, log),
        tls: await listen(listeners.tls, tlsPort, host, log),
        alternative: await listen(listeners.alternative, alternativePort, host, log),
      };
    },
    useCertificate(certificate) {
      metrics.certificateExpiry.set(readExpiry(certificate) / 1_000);
      handshakes.setSecureContext(createTlsOptions({ ...options, certificate }));
      for (const server of Object.values(servers)) server.updateSecureContext({ ...certificate });
    },
    async close() {
      for (const listener of Object.values(listeners)) listener.close();
      await drain(servers);
      admission.clear();
    },
  };
}

interface Servers {
  starttls: SubmissionServer;
  tls: SubmissionServer;
}

function createServers(options: GatewayOptions, metrics: GatewayMetrics, admission: Admission): Servers {
  const { settings, rpc, throttle, tracer = noTracer, log } = options;
  const { handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = options;
  const { gateway, limits, hostname } = settings;
  const budget = new MemoryBudget(gateway.maxBufferedBytes);
  addGauges(options.registry, { sessions: () => admission.count, bufferedBytes: () => budget.usedBytes });
  const { maxMessageBytes, maxEnvelopeRecipients: maxRecipients } = limits;
  const { maxAuthenticationFailures, authenticationDelayMs } = gateway;
  const context: GatewayContext = {
    ...{ rpc, throttle, tracer, log, metrics, budget, pauses: new SendingPauses() },
    ...{ maxMessageBytes, maxAuthenticationFailures, authenticationDelayMs },
  };
  const connection = {
    ...gateway,
    handshakeTimeoutMs,
    maxErrors: MAX_ERRORS,
    maxIdleCommands: MAX_IDLE_COMMANDS,
  };
  const common = { hostname, tls: createTlsOptions(options), maxRecipients, connection, context };
  return {
    starttls: new SubmissionServer({ ...common, hasTls: false }),
    tls: new SubmissionServer({ ...common, hasTls: true }),
  };
}

/** Implicit TLS: what stands between a socket and its session. It never listens itself. */
function createHandshakes(server: SubmissionServer, options: GatewayOptions): TlsServer {
  const handshakes = createTlsServer(createTlsOptions(options), (socket) => server.start(socket));
  handshakes.on('tlsClientError', (error, socket) => {
    options.log.info({ err: error, client: socket.remoteAddress }, 'handshake.failed'); // TL-9
    socket.destroy(); // Node leaves it open
  });
  return handshakes;
}

function createListeners(plain: SubmissionServer, handshakes: TlsServer, admission: Admission) {
  const acceptPlain = (socket: Socket) =>
    admission.admit(socket, { canReply: true }, (leave) => plain.start(socket, leave));
  const acceptTls = (socket: Socket) =>
    admission.admit(socket, { canReply: false }, () => handshakes.emit('connection', socket));
  return {
    starttls: createServer(acceptPlain),
    tls: createServer(acceptTls),
    alternative: createServer(acceptPlain),
  };
}

/** RFC 8996: nothing under TLS 1.2. Renegotiation serves nobody here (TL-7). */
function createTlsOptions({
  certificate,
  handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS,
}: GatewayOptions): TlsOptions {
  return {
    ...certificate,
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    handshakeTimeout: handshakeTimeoutMs,
  };
}

async function listen(server: Server, port: number, host: string, log: Logger): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  server.on('error', (error) => log.error({ err: error }, 'listener.failed')); // EMFILE at accept (RS-6)
  const address = server.address();
  return typeof address === 'object' && address ? address.port : port;
}

/** Ends the sessions; who is amid a message gets its reply first, within eight seconds. */
async function drain(servers: Servers): Promise<void> {
  const sessions = () => [...servers.starttls.sessions(), ...servers.tls.sessions()];
  for (const session of sessions()) session.leave();
  const deadline = Date.now() + DRAIN_MS;
  while (sessions().length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
  }
  for (const session of sessions()) session.cutShort();
}
