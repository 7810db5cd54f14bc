import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { inTransaction } from '../../../api/database.ts';
import { recordEvents } from '../../../api/models/event.ts';
import { listMessageWebhookAttempts, purgeDeliveries } from '../../../api/models/webhook-history.ts';
import { type DnsServer, startDnsServer } from '../../../sandbox/dns-server.ts';
import type { ZoneAnswer } from '../../../sandbox/zone.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { importPublicKey, isSignedBy, signaturesOf } from '../../support/webhook-signature.ts';
import { log, type Tenant } from '../support.ts';
import { startWebhookApi, type WebhookApi } from './support.ts';

describe('endpoints of webhooks, managed', () => {
  let api: WebhookApi;
  let tenant: Tenant;
  let endpoint: WebhookEndpoint;

  before(async () => {
    api = await startWebhookApi('endpoints');
    endpoint = await startWebhookEndpoint();
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
    endpoint.received.length = 0;
    endpoint.answer = () => ({ status: 200 });
  });
  after(async () => {
    await endpoint.close();
    await api.close();
  });

  /** Runs a dispatcher until there are so many webhooks and all of them are written down. */
  async function deliver(count: number): Promise<void> {
    const dispatcher = api.startDispatcher();
    await endpoint.waitFor(count);
    await dispatcher.close();
  }

  it('makes, shows, lists, changes and deletes them', async () => {
    const created = await api.manage(tenant, 'POST', '/webhooks', {
      webhook: {
        url: endpoint.url,
        events: ['email.bounced'],
        description: 'Shop',
        notify: 'ops@example.com',
      },
    });
    assert.equal(created.status, 201);
    const { secret, ...shown } = created.body;
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.deepEqual([shown.status, shown.failures, shown.notify], ['enabled', 0, 'ops@example.com']);

    const path = `/webhooks/${shown.id}`;
    assert.deepEqual((await api.manage(tenant, 'GET', path)).body, shown);
    assert.deepEqual((await api.manage(tenant, 'GET', '/webhooks')).body, [shown]);

    const webhook = { events: ['email.queued', 'email.spam'], notify: null };
    const { body: changed } = await api.manage(tenant, 'PATCH', path, { webhook });
    assert.deepEqual([changed.events, changed.notify, changed.url], [webhook.events, null, endpoint.url]);

    assert.equal((await api.manage(tenant, 'DELETE', `${path}/activation`)).body.status, 'disabled');
    assert.equal((await api.manage(tenant, 'PUT', `${path}/activation`)).body.status, 'enabled');
    assert.equal((await api.manage(tenant, 'DELETE', path)).status, 200);
    assert.equal((await api.manage(tenant, 'GET', path)).status, 404);
    const { rows } = await api.store.pool.query<{ action: string }>(
      'select action from audit_entries where organization_id = $1 order by id',
      [tenant.organizationId],
    );
    assert.deepEqual(
      rows.map(({ action }) => action),
      ['webhook.created', 'webhook.changed', 'webhook.disabled', 'webhook.enabled', 'webhook.deleted'],
    );
  });

  const refusals: [what: string, webhook: object, field: string, text: RegExp][] = [
    ['HK-3: a private address', { url: 'http://10.0.0.1/' }, 'url', /^private_address/],
    ['HK-4: a port of something else', { url: 'http://127.0.0.1:6379/' }, 'url', /port/],
    ['HK-4: another scheme', { url: 'ftp://example.com/' }, 'url', /https/],
    ['HK-4: a user name', { url: 'https://a:b@example.com/' }, 'url', /user name/],
    ['an event that is none', { events: ['email.opened'] }, 'webhook.events.0', /allowed values/],
    ['no event', { events: [] }, 'webhook.events', /fewer than 1/],
    ['an event twice', { events: ['email.spam', 'email.spam'] }, 'webhook.events', /duplicate/],
    ['nobody to notify', { notify: 'ops' }, 'notify', /is invalid/],
  ];
  for (const [what, change, field, text] of refusals) {
    it(`422 for ${what}`, async () => {
      const webhook = { url: endpoint.url, events: ['email.queued'], ...change };
      const { status, body } = await api.manage(tenant, 'POST', '/webhooks', { webhook });
      assert.equal(status, 422);
      assert.match(body.errors[field][0], text);
      assert.deepEqual((await api.manage(tenant, 'GET', '/webhooks')).body, []);
    });
  }

  it('HK-1, HK-5: asks the DNS before it takes a name', async () => {
    const zone = {
      hostname: 'ns.test',
      answer: async (name: string, type: string): Promise<ZoneAnswer> =>
        name === '127.0.0.1.nip.io' && type === 'A'
          ? { status: 'found', records: [{ type: 'A', address: '10.0.0.1' }] }
          : { status: 'not_found' },
    };
    const dns: DnsServer = await startDnsServer({ host: '127.0.0.1', port: 0, zone, log });
    const strict = await startWebhookApi('dns', {
      nameservers: [`127.0.0.1:${dns.port}`],
      allowLoopback: false,
    });
    const owner = await strict.createTenant();
    const refusalOf = async (url: string) => {
      const webhook = { url, events: ['email.queued'] };
      return (await strict.manage(owner, 'POST', '/webhooks', { webhook })).body.errors.url[0].split(':')[0];
    };
    assert.equal(await refusalOf('https://127.0.0.1.nip.io/'), 'private_address');
    assert.equal(await refusalOf('https://nowhere.example/'), 'dns_failed');
    assert.equal(await refusalOf('https://localhost/'), 'private_address');
    await strict.close();
    await dns.close();
  });

  it("HK-17: another organization's endpoint is not there, on any route; a secret is shown once", async () => {
    const { id, secret } = await api.createWebhook(tenant, { url: endpoint.url });
    await api.send(tenant);
    await deliver(1);
    const [delivery] = (await api.manage(tenant, 'GET', `/webhooks/${id}/deliveries`)).body;
    const stranger = await api.createTenant();
    const own = { ...stranger, domainId: tenant.domainId }; // with its own token, to the other's domain
    const routes: ['GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', string, object?][] = [
      ['GET', `/webhooks/${id}`],
      ['PATCH', `/webhooks/${id}`, { webhook: {} }],
      ['PUT', `/webhooks/${id}/activation`],
      ['DELETE', `/webhooks/${id}/activation`],
      ['POST', `/webhooks/${id}/secret_rotations`],
      ['GET', `/webhooks/${id}/deliveries`],
      ['GET', `/webhooks/${id}/deliveries/${delivery.id}`],
      ['POST', `/webhooks/${id}/replays`, {}],
      ['DELETE', `/webhooks/${id}`],
    ];
    for (const [method, path, payload] of routes) {
      assert.equal((await api.manage(stranger, method, path, payload)).status, 404, `${method} ${path}`);
      assert.equal((await api.manage(own, method, path, payload)).status, 404, `${method} ${path}`);
    }
    for (const path of ['/webhooks', '/webhook_keys']) {
      assert.equal((await api.manage(own, 'GET', path)).status, 404, path);
    }
    const shown = await Promise.all(
      [
        `/webhooks/${id}`,
        '/webhooks',
        `/webhooks/${id}/deliveries`,
        `/webhooks/${id}/deliveries/${delivery.id}`,
      ].map(async (path) => JSON.stringify((await api.manage(tenant, 'GET', path)).body)),
    );
    assert.ok(shown.every((text) => !text.includes(secret) && !text.includes('whsec_')));
    const { rows } = await api.store.pool.query('select * from webhooks where id = $1', [id]);
    assert.ok(!JSON.stringify(rows).includes(Buffer.from(secret.slice(6), 'base64').toString('hex')));
  });

  it('HK-13: signs with both keys and both secrets while they are replaced', async () => {
    const { id, secret: oldSecret } = await api.createWebhook(tenant, { url: endpoint.url });
    const [oldKey] = (await api.manage(tenant, 'GET', '/webhook_keys')).body;
    const { secret } = (await api.manage(tenant, 'POST', `/webhooks/${id}/secret_rotations`)).body;
    const keys = (await api.manage(tenant, 'POST', '/webhook_keys', { overlap_seconds: 3600 })).body;
    assert.deepEqual([keys.length, keys[0].public_key], [2, oldKey.public_key]);
    await api.send(tenant);
    await deliver(1);

    const [webhook] = endpoint.received;
    assert.ok(webhook);
    const headers = webhook.headers as Record<string, string>;
    for (const known of [oldSecret, secret]) assert.ok(new Webhook(known).verify(webhook.raw, headers));
    assert.ok(isSignedBy(importPublicKey(oldKey.public_key), webhook));
    assert.equal(signaturesOf(headers, 'v1a').length, 2);

    await api.manage(tenant, 'POST', `/webhooks/${id}/secret_rotations`, { overlap_seconds: 0 });
    const [newest, ...others] = (await api.manage(tenant, 'POST', '/webhook_keys', { overlap_seconds: 0 }))
      .body;
    assert.equal(others.length, 0);
    await api.send(tenant);
    await deliver(2);
    const last = endpoint.received[1];
    assert.ok(last && isSignedBy(importPublicKey(newest.public_key), last));
    assert.equal(signaturesOf(last.headers, 'v1a').length + signaturesOf(last.headers, 'v1').length, 2);
  });

  it('HK-10: after ten failures over an hour it is failing and its owner is told, once; a success resets that', async () => {
    const ops = await api.createTenant();
    Object.assign(api.settings.webhooks, { notificationAddress: `postern@${ops.domain}` });
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    await api.manage(tenant, 'PATCH', `/webhooks/${id}`, { webhook: { notify: 'owner@example.com' } });
    endpoint.answer = () => ({ status: 500 });
    const fail = async () => {
      await api.send(tenant);
      await deliver(endpoint.received.length + 1);
    };
    const statusOf = async () => (await api.manage(tenant, 'GET', `/webhooks/${id}`)).body;
    for (let count = 0; count < 9; count++) await fail();
    await api.store.pool.query(
      `update webhooks set first_failure_at = now() - interval '61 minutes' where id = $1`,
      [id],
    );
    assert.deepEqual([(await statusOf()).status, (await statusOf()).failures], ['enabled', 9]);
    await fail();
    await fail();

    assert.deepEqual([(await statusOf()).status, (await statusOf()).failures], ['failing', 11]);
    const { rows: jobs } = await api.store.pool.query(
      `select data from pgboss.job where name = 'tell-owner'`,
    );
    assert.equal(jobs.length, 1);
    const { tellOwner } = await import('../../../api/jobs/tell-owner.ts');
    for (let again = 0; again < 2; again++) await tellOwner({ ...api, log }, jobs[0].data);
    const { rows: mails } = await api.store.pool.query(
      'select subject from messages where domain_id = $1 and subject like $2',
      [ops.domainId, '%failing%'],
    );
    assert.equal(mails.length, 1);

    endpoint.answer = () => ({ status: 200 });
    await fail();
    assert.deepEqual([(await statusOf()).status, (await statusOf()).failures], ['enabled', 0]);
  });

  it('HK-10: ten failures within the hour are not enough', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    await api.store.pool.query(
      `update webhooks set failures = 10, first_failure_at = now() - interval '59 minutes' where id = $1`,
      [id],
    );
    endpoint.answer = () => ({ status: 500 });
    await api.send(tenant);
    await deliver(1);
    assert.equal((await api.manage(tenant, 'GET', `/webhooks/${id}`)).body.status, 'enabled');
  });

  it('HK-11: what a dead worker had in hand is sent again, under the same webhook-id', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    await api.send(tenant);
    // As a worker that dies between the POST and its commit leaves it: posted, claimed, and nothing written down.
    const { claimDeliveries } = await import('../../../api/models/webhook-claim.ts');
    const request = { underWay: new Map(), perEndpoint: 5, limit: 100, slowLimit: 50 };
    const claimed = (await claimDeliveries(api.store.pool, request)).filter(
      ({ webhookId }) => webhookId === id,
    );
    assert.equal(claimed.length, 1);
    assert.deepEqual(
      (await claimDeliveries(api.store.pool, request)).filter(({ webhookId }) => webhookId === id),
      [],
    );
    const { rows } = await api.store.pool.query<{ seconds: number }>(
      'select extract(epoch from next_attempt_at - now())::float8 as seconds from webhook_deliveries where webhook_id = $1',
      [id],
    );
    assert.ok((rows[0]?.seconds ?? 0) > 15 && (rows[0]?.seconds ?? 0) <= 30);

    await api.store.pool.query(
      'update webhook_deliveries set next_attempt_at = now() where webhook_id = $1',
      [id],
    );
    await deliver(1);
    assert.equal(endpoint.received[0]?.headers['webhook-id'], claimed[0]?.id);
    const [delivery] = (await api.manage(tenant, 'GET', `/webhooks/${id}/deliveries`)).body;
    assert.deepEqual([delivery.state, delivery.attempts], ['delivered', 0]);
  });

  it('replays by range and for the whole endpoint, and counts before', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url, events: ['email.queued'] });
    for (let count = 0; count < 4; count++) await api.send(tenant);
    const age = (state: string) =>
      api.store.pool.query(
        `update webhook_deliveries set state = $2, finished_at = now(), attempts = 10,
                occurred_at = '2026-01-01'::timestamptz + (position - (select min(position) from webhook_deliveries
                                                                        where webhook_id = $1)) * interval '1 day'
          where webhook_id = $1`,
        [id, state],
      );
    await age('dead');
    const replay = async (payload: object) =>
      (await api.manage(tenant, 'POST', `/webhooks/${id}/replays`, payload)).body.count;
    const range = { since: '2026-01-02T00:00:00.000Z', until: '2026-01-04T00:00:00.000Z' };

    assert.equal(await replay({ ...range, dry_run: true }), 2);
    assert.equal(await replay(range), 2);
    assert.equal(await replay({}), 2);
    assert.equal(await replay({}), 0);
    await deliver(4);
    assert.equal(await replay({ state: 'any', dry_run: true }), 4);
    assert.equal(new Set(endpoint.received.map(({ headers }) => headers['webhook-id'])).size, 4);
  });

  it('tells of complaints', async () => {
    await api.createWebhook(tenant, { url: endpoint.url, events: ['email.complained'] });
    const messageId = await api.send(tenant);
    await inTransaction(api.store, async (tx) => {
      const id = '0a8f6a52-9f0e-4b3e-9a7c-3f1d2b6c7d8e';
      const event = { id, messageId, recipient: 'b@example.com', type: 'complained', data: {} } as const;
      await recordEvents(tx, [{ ...event, occurredAt: new Date().toISOString() }]);
    });
    await deliver(1);

    const [told] = endpoint.received.map(({ body }) => body);
    assert.deepEqual(
      [told?.event, told?.payload.recipient, told?.payload.id],
      ['email.complained', 'b@example.com', messageId],
    );
    const [attempt] = await listMessageWebhookAttempts(api.store.pool, messageId);
    assert.deepEqual(
      [attempt?.event, attempt?.outcome, attempt?.status],
      ['email.complained', 'delivered', 200],
    );
  });

  it('forgets deliveries after their retention', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    await api.send(tenant);
    await deliver(1);
    await api.send(tenant);
    await api.store.pool.query(
      `update webhook_deliveries set created_at = now() - interval '31 days',
              finished_at = finished_at - interval '31 days' where webhook_id = $1`,
      [id],
    );
    await api.send(tenant);
    assert.equal(await purgeDeliveries(api.store.pool, 30), 2);
    assert.equal((await api.manage(tenant, 'GET', `/webhooks/${id}/deliveries`)).body.length, 1);
  });
});
