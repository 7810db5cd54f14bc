/** A real inbound server, with Haraka and one worker, and an api behind it that knows some addresses, over real RPC. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { stringify } from 'smol-toml';
import type { Settings } from '../../config/schema.ts';
import { nodeBinary, projectRoot } from '../../deploy/local/installation.ts';
import { type BounceReport, createBounceReport } from '../../lib/rpc/contracts/bounce-reports.ts';
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { createInboundMessage, type NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import { findInboundRecipient, type InboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import { RpcRefusal, registerContract, requireServiceToken, rpcServerOptions } from '../../lib/rpc/server.ts';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { findFreePorts } from '../support/free-ports.ts';
import { waitFor } from '../support/mail.ts';
import { testRedisUrl } from '../support/postgres.ts';

export interface TestInbound {
  host: string;
  port: number;
  monitor: string;
  process: ChildProcess;
  masterKey: string;
  api: TestApi;
  dns: TestDns;
  /** What the processes wrote */
  output(): string;
  close(): Promise<void>;
}

export interface TestApi {
  /** What was taken over, oldest first */
  messages: NewInboundMessage[];
  /** Bounces that were reported, oldest first */
  bounces: BounceReport[];
  /** Addresses whose routes are gone since RCPT */
  gone: string[];
  /** Instead of the commit; throwing is an answer too. */
  onMessage: () => Promise<void>;
  onRecipient: () => Promise<void>;
}

export const route: Extract<InboundRecipient, { kind: 'route' }> = {
  kind: 'route',
  routeId: 1,
  domainId: 3,
  domain: 'shop.example',
  dmarc: 'honour',
  spamRefuseScore: 15,
};

const known: Readonly<Record<string, InboundRecipient>> = {
  'hello@shop.example': route,
  'sales@shop.example': route,
  'gone@shop.example': route,
  'lax@shop.example': { ...route, routeId: 2, dmarc: 'mark' },
  'abuse@shop.example': { kind: 'system', purpose: 'abuse' },
  'postmaster@postern.test': { kind: 'system', purpose: 'postmaster' },
};

export async function startTestInbound(
  inbound: Partial<Settings['inbound']> = {},
  { spamUrl, gateway }: { spamUrl?: string; gateway?: Partial<Settings['gateway']> } = {},
): Promise<TestInbound> {
  const serviceToken = randomBytes(24).toString('hex');
  const masterKey = randomBytes(32).toString('base64');
  const { api, url, close: closeApi } = await startTestApi(serviceToken);
  const dns = await startTestDns();
  const [port = 0, monitorPort = 0] = await findFreePorts(2);
  const directory = mkdtempSync(join(tmpdir(), 'postern-inbound-'));
  const settings = {
    environment: 'test',
    log: { level: 'info' },
    api: { url },
    ...(spamUrl ? { spam: { url: spamUrl } } : {}),
    ...(gateway ? { gateway } : {}),
    limits: { maxMessageBytes: 300_000, maxEnvelopeRecipients: 10 },
    inbound: { port, monitorPort, workers: 1, nameservers: [`127.0.0.1:${dns.port}`], ...inbound },
  };
  writeFileSync(join(directory, 'postern.toml'), stringify(settings));
  const child = spawn(nodeBinary, [join(projectRoot, 'inbound/start.ts')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      POSTERN_DIRECTORY: directory,
      POSTERN_SECRET_KEY: masterKey,
      POSTERN_SERVICE_TOKEN: serviceToken,
      POSTERN_INTAKE_PASSWORD: randomBytes(24).toString('hex'),
      REDIS_URL: testRedisUrl(),
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const monitor = `http://127.0.0.1:${monitorPort}`;
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await dns.close();
    await closeApi();
    rmSync(directory, { recursive: true });
  };
  try {
    await waitFor('a healthy inbound server', async () => {
      if (child.exitCode !== null) throw new Error(output);
      return (await fetch(`${monitor}/health`)).ok || undefined;
    });
  } catch (error) {
    await close();
    throw new Error(`${error}\n${output}`);
  }
  return {
    host: '127.0.0.1',
    port,
    monitor,
    process: child,
    masterKey,
    api,
    dns,
    output: () => output,
    close,
  };
}

async function startTestApi(serviceToken: string) {
  const fastify = Fastify({ ...rpcServerOptions, forceCloseConnections: true });
  const api: TestApi = {
    messages: [],
    bounces: [],
    gone: [],
    onMessage: async () => {},
    onRecipient: async () => {},
  };
  fastify.addHook('onRequest', requireServiceToken(serviceToken));
  registerContract(fastify, findCredential, async () => null);
  registerContract(fastify, findInboundRecipient, async ({ params }) => {
    await api.onRecipient();
    return known[params.address] ?? null;
  });
  registerContract(
    fastify,
    createInboundMessage,
    async ({ body }) => {
      await api.onMessage();
      const unknown = body.envelope.to.map(({ address }) => address).filter((one) => api.gone.includes(one));
      if (unknown.length === body.envelope.to.length) throw new RpcRefusal('recipients_unknown', 'gone');
      const duplicates = api.messages.some(({ digest }) => digest === body.digest) ? 1 : 0;
      api.messages.push(body);
      return { ids: [api.messages.length], duplicates, unknown };
    },
    { maxBodyBytes: 64 * 1024 * 1024 },
  );
  registerContract(fastify, createBounceReport, async ({ body }) => {
    api.bounces.push(body);
    return { outcome: 'recorded' as const };
  });
  await fastify.listen({ host: '127.0.0.1', port: 0 });
  const { port } = fastify.server.address() as AddressInfo;
  return { api, url: `http://127.0.0.1:${port}`, close: () => fastify.close() };
}
