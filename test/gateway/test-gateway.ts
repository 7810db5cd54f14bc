/** A gateway with its listeners on free ports, and an api behind it that knows one token, over real RPC. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { Registry } from 'prom-client';
import { createAuthenticationThrottle } from '../../gateway/authentication-throttle.ts';
import { createGateway, type Gateway } from '../../gateway/gateway.ts';
import { type Certificate, loadCertificate } from '../../lib/certificate.ts';
import { createLogger, type Logger } from '../../lib/log.ts';
import { createRpcClient } from '../../lib/rpc/client.ts';
import { type Credential, findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { createSubmission, type Submission } from '../../lib/rpc/contracts/submissions.ts';
import { createInvalidator } from '../../lib/rpc/invalidation.ts';
import { registerContract, requireServiceToken, rpcServerOptions } from '../../lib/rpc/server.ts';
import { digestToken } from '../../lib/secrets.ts';
import type { DialogTarget } from '../dialogs/runner.ts';
import { testRedisUrl } from '../support/postgres.ts';
import { createTestSettings } from '../support/settings.ts';

export interface TestGateway {
  target: DialogTarget;
  registry: Registry;
  gateway: Gateway;
  api: TestApi;
  close(): Promise<void>;
}

export interface TestApi {
  /** What came in, oldest first */
  submissions: Submission[];
  /** Null: the token is revoked. A change is published as the api does it. */
  setCredential(credential: Credential | null): Promise<void>;
  /** Replaces what the api answers to a submission; throwing is an answer too. */
  onSubmission: (submission: Submission) => Promise<{ messageId: number }>;
  /** From now on nobody listens. */
  stop(): Promise<void>;
}

type GatewaySettings = ReturnType<typeof createTestSettings>['gateway'];

export interface TestGatewayOptions {
  gateway?: Partial<GatewaySettings>;
  maxMessageBytes?: number;
  maxEnvelopeRecipients?: number;
  log?: Logger;
  handshakeTimeoutMs?: number;
  /** Instead of one that is made */
  certificate?: Certificate;
  /** One that throws, as no code of ours should */
  failingThrottle?: boolean;
  /** Of the throttle alone */
  redisUrl?: string;
}

export const testCredential: Credential = {
  tokenId: 7,
  organizationId: 1,
  domainId: 3,
  domain: 'shop.example',
  refusal: null,
  allowedNetworks: [],
  expiresAt: null,
};

let made: Promise<Certificate> | undefined;

/** One for all gateways of the process: a key takes long to make. */
function testCertificate(): Promise<Certificate> {
  made ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-gateway-'));
    try {
      const files = { certificateFile: '', privateKeyFile: '' };
      return await loadCertificate({ ...files, directory, hostname: 'mail.postern.test' });
    } finally {
      rmSync(directory, { recursive: true });
    }
  })();
  return made;
}

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const log = options.log ?? createLogger('gateway', { level: 'silent' });
  const settings = createTestSettings({
    gateway: {
      authenticationDelayMs: 1,
      authenticationKeyPrefix: `test:${randomBytes(8).toString('hex')}`, // all tests come from one address
      starttlsPort: 0,
      tlsPort: 0,
      alternativePort: 0,
      ...options.gateway,
    },
    limits: {
      ...(options.maxMessageBytes ? { maxMessageBytes: options.maxMessageBytes } : {}),
      ...(options.maxEnvelopeRecipients ? { maxEnvelopeRecipients: options.maxEnvelopeRecipients } : {}),
    },
  });
  const { serviceToken, key } = settings.secrets;
  const redisUrl = testRedisUrl();
  const token = randomBytes(20).toString('hex');
  const { url, api, close: closeApi } = await startTestApi({ token, serviceToken, redisUrl, log });
  const rpc = createRpcClient({ url, serviceToken, redisUrl, masterKey: key, log });

  const certificate = options.certificate ?? (await testCertificate());
  const registry = new Registry();
  const { handshakeTimeoutMs } = options;
  const throttle = createAuthenticationThrottle({
    ...settings.gateway,
    redisUrl: options.redisUrl ?? redisUrl,
    log,
  });
  if (options.failingThrottle) throttle.isAllowed = () => Promise.reject(new Error('a mistake of ours'));
  const gateway = createGateway({
    ...{ settings, certificate, rpc, throttle, log, registry },
    ...(handshakeTimeoutMs ? { handshakeTimeoutMs } : {}),
  });
  const ports = await gateway.listen();

  return {
    target: { smtp: { host: settings.gateway.host, ...ports }, token, domain: testCredential.domain },
    registry,
    gateway,
    api,
    async close() {
      await gateway.close();
      throttle.close();
      await rpc.close();
      await closeApi();
    },
  };
}

interface ApiOptions {
  token: string;
  serviceToken: string;
  redisUrl: string;
  log: Logger;
}

async function startTestApi({ token, serviceToken, redisUrl, log }: ApiOptions) {
  const digest = digestToken(token);
  const invalidator = createInvalidator({ redisUrl, log });
  let credential: Credential | null = testCredential;

  const fastify = Fastify({ ...rpcServerOptions, forceCloseConnections: true });
  fastify.addHook('onRequest', requireServiceToken(serviceToken));
  registerContract(fastify, findCredential, async ({ params }) =>
    params.digest === digest ? credential : null,
  );
  registerContract(
    fastify,
    createSubmission,
    async ({ body }) => {
      api.submissions.push(body);
      return api.onSubmission(body);
    },
    { maxBodyBytes: 64 * 1024 * 1024 },
  );
  const api: TestApi = {
    submissions: [],
    async setCredential(changed) {
      credential = changed;
      await invalidator.invalidate(findCredential, { digest });
      await new Promise((resolve) => setTimeout(resolve, 50)); // for the message to reach the client's memory
    },
    onSubmission: async () => ({ messageId: 41 + api.submissions.length }),
    stop: () => fastify.close(),
  };
  await fastify.listen({ host: '127.0.0.1', port: 0 });
  const { port } = fastify.server.address() as AddressInfo;
  const close = async () => {
    await fastify.close();
    await invalidator.close();
  };
  return { url: `http://127.0.0.1:${port}`, api, close };
}
