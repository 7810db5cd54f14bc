/** The phases of bench/webhooks: the endpoints that are well by themselves, then beside a dead one with a backlog. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import Type from 'typebox';
import Value from 'typebox/value';
import type { ApiServer, SendingDomain } from '../servers/api-server.ts';
import { waitUntil } from '../world/wait.ts';
import type { Death, WebhookEndpoints } from '../world/webhook-endpoints.ts';
import { formatLatencies, type LatencySummary, summarizeLatencies } from './latency-summary.ts';

/** Of POST /send/batch */
const BATCH = 500;
/** Of a domain; the api allows twenty. */
export const ENDPOINTS_A_DOMAIN = 20;

export interface WebhookPlan {
  /** Events that wait for the dead endpoint */
  waiting: number;
  /** Messages a second, each told to all endpoints of its domain */
  rate: number;
  seconds: number;
}

export interface WebhookRow {
  /** What the dead endpoint is like; undefined: there is none */
  death: Death | undefined;
  webhooks: number;
  delay: LatencySummary;
  /** Of the dead endpoint, when the phase was over */
  waiting: number;
}

export interface WebhookWorld {
  server: ApiServer;
  endpoints: WebhookEndpoints;
  /** Whose endpoints are well */
  domains: readonly SendingDomain[];
}

/** @param url of the endpoint. @returns its id */
export async function addEndpoint(
  { url: api, organizationToken }: ApiServer,
  domain: SendingDomain,
  url: string,
): Promise<number> {
  const response = await fetch(`${api}/api/v1/domains/${domain.id}/webhooks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mailpace-organization-token': organizationToken },
    body: JSON.stringify({ webhook: { url, events: ['email.queued'] } }),
  });
  if (response.status !== 201) throw new Error(`no endpoint: ${response.status} ${await response.text()}`);
  return Value.Parse(Type.Object({ id: Type.Integer() }), await response.json()).id;
}

/** Messages of the dead endpoint's domain: so many events begin to wait for it. */
export async function fillBacklog(server: ApiServer, domain: SendingDomain, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, count - sent) }, () => createMessage(domain));
    await post(`${server.url}/api/v1/send/batch`, domain, { messages });
  }
}

export async function measureWebhooks(
  { server, endpoints, domains }: WebhookWorld,
  { rate, seconds }: WebhookPlan,
): Promise<{ webhooks: number; delay: LatencySummary }> {
  endpoints.delaysMs.length = 0;
  const count = rate * seconds;
  const startedAt = performance.now();
  for (let number = 0; number < count; number++) {
    const domain = domains[number % domains.length];
    if (!domain) throw new Error('there are no domains');
    await post(`${server.url}/api/v1/send`, domain, createMessage(domain));
    await sleep(Math.max(0, startedAt + ((number + 1) * 1000) / rate - performance.now()));
  }
  const expected = count * ENDPOINTS_A_DOMAIN;
  await waitUntil('all webhooks', () => endpoints.delaysMs.length >= expected, { timeoutMs: 120_000 });
  return { webhooks: endpoints.delaysMs.length, delay: summarizeLatencies(endpoints.delaysMs) };
}

/** What still waits for an endpoint. */
export async function countWaiting({ settings }: ApiServer, webhookId: number): Promise<number> {
  const client = new pg.Client(settings.database.url);
  await client.connect();
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from webhook_deliveries where webhook_id = $1 and state = 'pending'`,
    [webhookId],
  );
  await client.end();
  return Number(rows[0]?.count);
}

export function formatWebhookRow({ death, webhooks, delay, waiting }: WebhookRow): string {
  const beside = death ? `beside a ${death} one with ${waiting} waiting` : 'no dead endpoint';
  return `${beside.padEnd(46)} ${webhooks} webhooks   ${formatLatencies(delay)}`;
}

async function post(url: string, { token }: SendingDomain, body: object): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'mailpace-server-token': token },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

function createMessage({ name }: SendingDomain): object {
  return { from: `bench@${name}`, to: 'rcpt@example.com', subject: 'bench', textbody: 'bench' };
}
