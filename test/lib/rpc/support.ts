/** What the RPC tests share: an api with a test's own contracts, clients that are ready. */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import Type from 'typebox';
import { cacheKey } from '../../../lib/rpc/cache-key.ts';
import { createRpcClient, type RpcClient } from '../../../lib/rpc/client.ts';
import { type CachePolicy, defineContract } from '../../../lib/rpc/contracts/contract.ts';
import { registerContract, requireServiceToken, rpcServerOptions } from '../../../lib/rpc/server.ts';

export const serviceToken = randomBytes(24).toString('hex');
export const masterKey = randomBytes(32).toString('base64');
export const silent = pino({ level: 'silent' });

/** A contract of the test's own: its name, and so its keys in Redis, are new in every run. */
export function defineLookup(cache: Partial<CachePolicy> = {}) {
  const name = `testFind_${randomBytes(6).toString('hex')}`;
  return defineContract({
    name,
    method: 'GET',
    path: `/rpc/v1/${name}/:id`,
    params: Type.Object({ id: Type.String({ minLength: 1 }) }),
    body: Type.Undefined(),
    reply: Type.Object({ text: Type.String() }),
    isIdempotent: true,
    cache: { freshMs: 60_000, staleMs: 600_000, negativeMs: 10_000, ...cache },
  });
}
export type TestLookup = ReturnType<typeof defineLookup>;

export interface TestApi {
  url: string;
  app: FastifyInstance;
  /** How many requests reached a handler. */
  requests: number;
  stop(): Promise<void>;
}

/** A look-up's api: what `answer` returns for an id, null for none. */
export async function startLookupApi(
  contract: TestLookup,
  answer: (id: string) => Promise<string | null> | string | null,
): Promise<TestApi> {
  const api = await startApi((app) =>
    registerContract(app, contract, async ({ params }) => {
      api.requests++;
      const text = await answer(params.id);
      return text === null ? null : { text };
    }),
  );
  return api;
}

export async function startApi(register: (app: FastifyInstance) => void, port = 0): Promise<TestApi> {
  const app = fastify({ ...rpcServerOptions, forceCloseConnections: true });
  app.addHook('onRequest', requireServiceToken(serviceToken));
  register(app);
  const url = await app.listen({ port, host: '127.0.0.1' });
  return { url, app, requests: 0, stop: () => app.close() };
}

export interface TestClient extends RpcClient {
  hasLogged(event: string): boolean;
  /** The sum of a counter's series that have these labels. */
  count(metric: 'requests' | 'lookups' | 'errors', labels: Record<string, string>): Promise<number>;
}

export interface TestClientOptions {
  url: string;
  redisUrl: string;
  serviceToken?: string;
  masterKey?: string;
}

export function createTestClient(options: TestClientOptions): TestClient {
  const registry = new Registry();
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line) => lines.push(line) });
  const client = createRpcClient({ serviceToken, masterKey, ...options, log, registry });
  return {
    ...client,
    hasLogged: (event) => lines.some((line) => line.includes(`"msg":"${event}"`)),
    async count(metric, labels) {
      const found = await registry.getSingleMetric(`postern_rpc_${metric}_total`)?.get();
      const series = found?.values ?? [];
      return series
        .filter((one) => Object.entries(labels).every(([name, value]) => one.labels[name] === value))
        .reduce((sum, one) => sum + one.value, 0);
    },
  };
}

/** Waits until the client has both Redis connections: a value is then kept longer than untrusted memory keeps it. */
export async function untilCaching(client: TestClient, redis: Redis, contract: TestLookup): Promise<void> {
  await until(async () => {
    const params = { id: `probe-${randomUUID()}` };
    await client.call(contract, { params });
    await sleep(20);
    const isStored = await redis.hexists(cacheKey(contract, params), 'value');
    return isStored === 1 && client.hasLogged('rpc.subscribed');
  });
}

export async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not so within ${timeoutMs} ms: ${condition}`);
    await sleep(10);
  }
}
