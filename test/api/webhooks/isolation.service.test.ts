import assert from 'node:assert/strict';
import { claimDeliveries } from '../../../api/models/webhook-claim.ts';
import { percentile } from '../../../bench/measure/statistics.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';
import type { Tenant } from '../support.ts';
import { startWebhookApi, type WebhookApi } from './support.ts';

const GOOD = 99;
/** Of a domain; the api allows twenty. */
const A_DOMAIN = 20;
const ROUNDS = 4;

describe('webhooks beside a dead endpoint', () => {
  let api: WebhookApi;
  let endpoint: WebhookEndpoint;

  before(async () => {
    api = await startWebhookApi('webhook_isolation', { timeoutMs: 1_000 });
    endpoint = await startWebhookEndpoint();
  });
  after(async () => {
    await endpoint.close();
    await api.close();
  });

  it('HK-12: SMTP servers, which may take minutes, have no more than their part of the attempts', async () => {
    const { pool } = api.store;
    const { id } = await api.createWebhook(await api.createTenant(), { url: `${endpoint.url}/web` });
    const { rows: servers } = await pool.query<{ id: number }>(
      `insert into webhooks (domain_id, url, events, secret_sealed)
       select domain_id, 'smtp://127.0.0.1:2525', '{}', secret_sealed from webhooks, generate_series(1, 5) where id = $1
       returning id`,
      [id],
    );
    const ids = [id, ...servers.map((server) => server.id)];
    await pool.query(
      `insert into webhook_deliveries (webhook_id, event, data, occurred_at)
       select unnest($1::bigint[]), 'email.queued', '{"status":"queued"}', now() from generate_series(1, 4)`,
      [ids],
    );
    const claim = async (slowLimit: number) => {
      const request = { underWay: new Map(), perEndpoint: 20, limit: 100, slowLimit };
      return (await claimDeliveries(pool, request)).map(({ isSlow }) => isSlow);
    };
    assert.deepEqual((await claim(2)).sort(), [false, false, false, false, true, true]);
    assert.deepEqual(await claim(0), []);
    assert.deepEqual(await claim(50), Array(5).fill(true), 'one each at a time, and so on');
    await pool.query('delete from webhook_deliveries where webhook_id = any($1::bigint[])', [ids]);
    await pool.query('delete from webhooks where id = any($1::bigint[])', [ids]);
  });

  it('HK-12: one that never answers, with 10,000 events, does not slow 99 good ones', async () => {
    const answered = () => endpoint.received.filter(({ path }) => path !== '/dead');
    endpoint.answer = ({ path }) => (path === '/dead' ? new Promise(() => {}) : { status: 204 });
    const dead = await api.createTenant();
    const { id: deadId } = await api.createWebhook(dead, { url: `${endpoint.url}/dead` });
    // About no message: so none of them waits for another.
    await api.store.pool.query(
      `insert into webhook_deliveries (webhook_id, event, data, occurred_at)
       select $1, 'email.queued', '{"status":"queued"}', now() from generate_series(1, 10000)`,
      [deadId],
    );
    const tenants = await createGood();
    const dispatcher = api.startDispatcher();

    for (let round = 0; round < ROUNDS; round++) await Promise.all(tenants.map((tenant) => api.send(tenant)));
    for (let waited = 0; answered().length < GOOD * ROUNDS && waited < 15_000; waited += 50) await pause();
    const { rows } = await api.store.pool.query<{ count: number }>(
      `select count(*) from webhook_deliveries where webhook_id = $1 and state = 'pending'`,
      [deadId],
    );
    await dispatcher.close();

    assert.equal(answered().length, GOOD * ROUNDS);
    const delays = answered().map(({ at, body }) => at - Date.parse(String(body.payload.updated_at)));
    assert.ok(percentile(delays, 0.99) < 5_000, `p99 ${percentile(delays, 0.99)} ms`);
    assert.equal(rows[0]?.count, 10_000);
  });

  async function createGood(): Promise<Tenant[]> {
    const tenants: Tenant[] = [];
    for (let number = 0; number < GOOD; number++) {
      if (number % A_DOMAIN === 0) tenants.push(await api.createTenant());
      const tenant = tenants.at(-1);
      assert.ok(tenant);
      const url = `${endpoint.url}/good/${number}`;
      await api.createWebhook(tenant, { url, events: ['email.queued'] });
    }
    return tenants;
  }
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
