/** The gateway without its process: three listeners, the limits in front of them, and the SMTP servers behind. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import type { Registry } from 'prom-client';
import type { Settings } from '../config/schema.ts';
import type { Logger } from '../lib/log.ts';
import type { RpcClient } from '../lib/rpc/client.ts';
import { Admission } from './admission.ts';
import type { Certificate } from './certificate.ts';
import type { GatewayContext } from './context.ts';
import { MemoryBudget } from './memory-budget.ts';
import { createGatewayMetrics } from './metrics.ts';
import { SubmissionServer } from './submission-server.ts';

const HANDSHAKE_TIMEOUT_MS = 30_000;
const MAX_ERRORS = 100;
/** Within the ten seconds a process has to end (lib/shutdown.ts). */
const DRAIN_MS = 8_000;
const DRAIN_POLL_MS = 50;

export interface GatewayOptions {
  settings: Pick<Settings, 'hostname' | 'gateway' | 'limits'>;
  certificate: Certificate;
  rpc: Pick<RpcClient, 'call'>;
  log: Logger;
  registry: Registry;
  /** How long a TLS handshake may take, however slowly it drips in (TL-8) */
  handshakeTimeoutMs?: number;
}

export interface Gateway {
  /** Opens the listeners; port 0 of the settings is any free one. Rejects when a port is taken. */
  listen(): Promise<Ports>;
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
  const servers = createServers(options, admission);
  const listeners = createListeners(servers, admission, options);
  return {
    async listen() {
      return {
        starttls: await listen(listeners.starttls, starttlsPort, host, log),
        tls: await listen(listeners.tls, tlsPort, host, log),
        alternative: await listen(listeners.alternative, alternativePort, host, log),
      };
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

function createServers(options: GatewayOptions, admission: Admission): Servers {
  const { settings, rpc, log, registry, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = options;
  const { gateway, limits, hostname } = settings;
  const budget = new MemoryBudget(gateway.maxBufferedBytes);
  const metrics = createGatewayMetrics(registry, {
    sessions: () => admission.count,
    bufferedBytes: () => budget.usedBytes,
  });
  const { maxMessageBytes, maxEnvelopeRecipients: maxRecipients } = limits;
  const { maxAuthenticationFailures } = gateway;
  const context: GatewayContext = { rpc, log, metrics, budget, maxMessageBytes, maxAuthenticationFailures };
  const connection = { ...gateway, handshakeTimeoutMs, maxErrors: MAX_ERRORS };
  const common = { hostname, tls: createTlsOptions(options), maxRecipients, connection, context };
  return {
    starttls: new SubmissionServer({ ...common, hasTls: false }),
    tls: new SubmissionServer({ ...common, hasTls: true }),
  };
}

function createListeners(servers: Servers, admission: Admission, options: GatewayOptions) {
  const handshakes = createTlsServer(createTlsOptions(options), (socket) => servers.tls.start(socket));
  handshakes.on('tlsClientError', (error, socket) => {
    options.log.debug({ err: error }, 'handshake.failed');
    socket.destroy(); // Node leaves it open
  });
  const acceptPlain = (socket: Socket) =>
    admission.admit(socket, { canReply: true }, (leave) => servers.starttls.start(socket, leave));
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
}
