/** An api of its own for a test file: a migrated database, an app to inject into, and tenants to be. */

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { createApp } from '../../api/app.ts';
import { createPool, inTransaction, type Store } from '../../api/database.ts';
import { createProducer } from '../../api/jobs/producer.ts';
import { migrate } from '../../api/migrate.ts';
import { createDomainToken, createOrganizationToken } from '../../api/models/api-token.ts';
import { type FirstKeyPairs, generateFirstKeyPairs } from '../../api/models/dkim-key-pair.ts';
import { createDomain } from '../../api/models/domain.ts';
import type { NewMessage } from '../../api/models/message.ts';
import { createOrganization } from '../../api/models/organization.ts';
import { createRateLimiter, type RateLimiter } from '../../api/rate-limiter.ts';
import type { Settings } from '../../config/schema.ts';
import { createLogger } from '../../lib/log.ts';
import type { Contract } from '../../lib/rpc/contracts/contract.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type Changes, createTestSettings } from '../support/settings.ts';
import { type Watch, watchReplies } from './replies.ts';

export const log = createLogger('test', { level: 'silent' });

export interface Tenant {
  organizationId: number;
  organizationToken: string;
  domainId: number;
  domain: string;
  tokenId: number;
  token: string;
}

export interface TestApi {
  app: FastifyInstance;
  /** Its routes, and what it answered that their schemas do not allow: close() fails then. */
  watch: Watch;
  settings: Settings;
  store: Store;
  limiter: RateLimiter;
  /** What was invalidated so far, as `contract {"param":…}`. */
  invalidated: string[];
  createTenant(options?: { domain?: string; isVerified?: boolean }): Promise<Tenant>;
  close(): Promise<void>;
}

let keyPairs: FirstKeyPairs | undefined;
let count = 0;

/** @param reroute the address of the database as the api is to see it */
export async function startTestApi(
  prefix: string,
  changes: Changes = {},
  reroute = (url: string) => url,
  logger = log,
): Promise<TestApi> {
  const database = await createTestDatabase(prefix);
  await migrate(database.url);
  const settings = createTestSettings({
    ...changes,
    database: { url: reroute(database.url), maxConnections: 10 },
  });
  const invalidated: string[] = [];
  const pool = createPool(settings);
  const boss = await createProducer(pool, log);
  const invalidator = {
    invalidate: async (contract: Contract, params: unknown) =>
      void invalidated.push(`${contract.name} ${JSON.stringify(params)}`),
    close: async () => {},
  };
  const store = { pool, boss, invalidator };
  const limiter = createRateLimiter({ redisUrl: settings.redis.url, log });
  const { app, watch } = await watchReplies(() => createApp({ ...store, settings, log: logger, limiter }));
  return {
    app,
    watch,
    settings,
    store,
    limiter,
    invalidated,
    createTenant: (options) => createTenant(store, settings, options),
    async close() {
      await app.close();
      limiter.close();
      await boss.stop({ graceful: false });
      await pool.end();
      await database.drop();
      assert.deepEqual([...new Set(watch.violations)], [], 'answers that their schemas do not allow');
    },
  };
}

export async function createTenant(
  store: Store,
  settings: Settings,
  { domain, isVerified = true }: { domain?: string; isVerified?: boolean } = {},
): Promise<Tenant> {
  count += 1;
  const name = domain ?? `sender${count}.test`;
  keyPairs ??= await generateFirstKeyPairs();
  const pairs = keyPairs;
  const organization = await createOrganization(store.pool, name);
  const asked = { organizationId: organization.id, name, label: '', isVerified };
  const result = await inTransaction(store, (tx) => createDomain(tx, asked, pairs, settings.secrets.key));
  if (!result.ok) throw new Error(result.reason);
  const ids = { organizationId: organization.id, domainId: result.domain.id };
  const { id: tokenId, token } = await createDomainToken(store.pool, { ...ids, name: 'test' });
  const { token: organizationToken } = await createOrganizationToken(store.pool, { ...ids, name: 'test' });
  return { ...ids, organizationToken, domain: name, tokenId, token };
}

/** A request to send; `payload` is merged into a valid one, undefined values take a field away. */
export function sendRequest(tenant: Tenant, payload: object = {}, headers: object = {}): InjectOptions {
  return {
    method: 'POST',
    url: '/api/v1/send',
    headers: { 'mailpace-server-token': tenant.token, ...headers },
    payload: { from: `a@${tenant.domain}`, to: 'b@example.com', textbody: 'Hello', ...payload },
  };
}

/** A message as acceptMessage takes it, of the bytes of `content` (one a character). */
export function newMessage(tenant: Tenant, content: string, changes: Partial<NewMessage> = {}): NewMessage {
  return {
    credential: tenant,
    source: 'smtp',
    submissionId: null,
    envelopeFrom: `a@${tenant.domain}`,
    recipients: [{ address: 'b@example.com', kind: 'to' }],
    fromHeader: 'a',
    subject: null,
    messageId: '<x@y>',
    tags: [],
    stream: 'transactional',
    metadata: {},
    hasUnsubscribeLink: false,
    sendAt: null,
    content: Buffer.from(content, 'latin1'),
    acceptance: {},
    ...changes,
  };
}

/** What the gateway sends to the api when it has taken a message; `payload` is merged into a valid one. */
export function submissionRequest(
  { settings }: TestApi,
  { domain, tokenId }: Pick<Tenant, 'domain' | 'tokenId'>,
  message: string,
  payload: object = {},
): InjectOptions {
  return {
    method: 'POST',
    url: '/rpc/v1/submissions',
    headers: { authorization: `Bearer ${settings.secrets.serviceToken}` },
    payload: {
      submissionId: randomUUID(),
      tokenId,
      envelope: { from: `a@${domain}`, to: ['b@example.com'] },
      message: Buffer.from(message).toString('base64'),
      client: { address: '192.0.2.1', helo: 'client', tls: null },
      ...payload,
    },
  };
}

export async function countRows({ store }: TestApi, table: string): Promise<number> {
  const { rows } = await store.pool.query<{ count: number }>(`select count(*) from ${table}`);
  return rows[0]?.count ?? -1;
}
