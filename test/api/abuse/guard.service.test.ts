import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { inTransaction } from '../../../api/database.ts';
import { guardAbuse } from '../../../api/jobs/guard-abuse.ts';
import { TELL_ORGANIZATION } from '../../../api/jobs/queues.ts';
import { tellOrganization } from '../../../api/jobs/tell-organization.ts';
import { createOperatorToken } from '../../../api/models/api-token.ts';
import { type NewEvent, recordEvents } from '../../../api/models/event.ts';
import { findConsignment } from '../../../api/models/hand-over.ts';
import { acceptMessage } from '../../../api/models/message.ts';
import { listRecords } from '../../../api/models/sending-outcome.ts';
import { startWebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { log, newMessage, sendRequest, submissionRequest, type Tenant, type TestApi } from '../support.ts';
import { startWebhookApi, type WebhookApi } from '../webhooks/support.ts';

const HOUR = 3600;

describe('abuse guard', () => {
  let api: WebhookApi;
  let operatorToken = '';
  before(async () => {
    api = await startWebhookApi('abuse');
    ({ token: operatorToken } = await createOperatorToken(api.store.pool, { name: 'ada' }));
  });
  after(() => api.close());

  const newTenant = async (): Promise<Tenant> => {
    await api.store.pool.query('delete from sending_outcomes');
    await api.store.pool.query('update organizations set throttled_at = null, throttled_to = null');
    return api.createTenant();
  };

  async function operate(method: 'GET' | 'PUT' | 'PATCH' | 'DELETE', path: string, payload?: object) {
    const headers = { 'postern-operator-token': operatorToken };
    const url = `/api/v1/organizations${path}`;
    const response = await api.app.inject({ method, url, headers, ...(payload && { payload }) });
    assert.equal(response.statusCode, 200, response.body);
    return response.json();
  }

  const addresses = (count: number) => Array.from({ length: count }, (_, index) => `r${index}@example.com`);

  /** A message to so many. @returns its id */
  function accept(tenant: Tenant, count: number, isSandbox = false): Promise<number> {
    const recipients = addresses(count).map((address) => ({ address, kind: 'to' as const }));
    const credential = { ...tenant, isSandbox };
    return inTransaction(api.store, (tx) =>
      acceptMessage(tx, newMessage(tenant, 'x', { credential, recipients })),
    );
  }

  /** What became of a message's recipients, in order; the first `bad` of them get `type`, the others it. */
  async function end(
    messageId: number,
    {
      count,
      bad = 0,
      type = 'bounced',
      data = {},
    }: { count: number; bad?: number; type?: NewEvent['type']; data?: NewEvent['data'] },
  ) {
    const events = addresses(count).map((recipient, index): NewEvent => {
      const isBad = index < bad;
      const occurredAt = new Date().toISOString();
      return {
        id: randomUUID(),
        messageId,
        recipient,
        type: isBad ? type : 'delivered',
        occurredAt,
        data: isBad ? data : {},
      };
    });
    await inTransaction(api.store, (tx) => recordEvents(tx, events));
    return events;
  }

  const guard = (abuse: Partial<TestApi['settings']['abuse']> = {}) =>
    guardAbuse({ store: api.store, settings: { abuse: { ...api.settings.abuse, ...abuse } }, log });

  async function countsOf({ organizationId }: Tenant) {
    const records = await listRecords(api.store.pool, [HOUR]);
    const [hour] = records.find((record) => record.organizationId === organizationId)?.windows ?? [];
    return hour && [hour.delivered, hour.bounced, hour.spam, hour.complained];
  }

  const auditOf = async ({ organizationId }: Tenant) => {
    const { rows } = await api.store.pool.query(
      'select actor_kind, action, details from audit_entries where organization_id = $1 order by id',
      [organizationId],
    );
    return rows.map(({ actor_kind, action, details }) => [actor_kind, action, details.reason ?? null]);
  };

  it('counts each event once, whoever reports it, and however many at a time', async () => {
    const tenant = await newTenant();
    const ids = await Promise.all(Array.from({ length: 8 }, () => accept(tenant, 10)));
    const reported = await Promise.all(ids.map((id) => end(id, { count: 10, bad: 3 })));
    await Promise.all(reported.map((events) => inTransaction(api.store, (tx) => recordEvents(tx, events))));

    assert.deepEqual(await countsOf(tenant), [56, 24, 0, 0]);

    await api.store.pool.query(`update sending_outcomes set counted_at = counted_at - interval '5 minutes'`);
    await guard();
    assert.deepEqual(await countsOf(tenant), [56, 24, 0, 0]);
    const { rowCount } = await api.store.pool.query('select from sending_outcomes');
    assert.equal(Number(rowCount) <= 2, true, 'a row a minute');
  });

  it('counts spam and complaints, and neither a sandbox nor bounces that are our own fault', async () => {
    const tenant = await newTenant();
    await end(await accept(tenant, 4), { count: 4, bad: 1, type: 'spam' });
    const id = await accept(tenant, 2);
    await end(id, { count: 2 });
    await end(id, { count: 1, bad: 1, type: 'complained' });
    const bounce = { class: 'reputation-ip', is_hard: false, action: 'other-address', rule: 'x' };
    await end(await accept(tenant, 3), { count: 3, bad: 3, data: { bounce } });
    await end(await accept(tenant, 5, true), { count: 5, bad: 5 });

    assert.deepEqual(await countsOf(tenant), [5, 0, 1, 1]);
  });

  it('throttles, then suspends, tells why, and an operator lifts it', async () => {
    const tenant = await newTenant();
    const endpoint = await startWebhookEndpoint();
    const events = (['throttled', 'suspended', 'resumed'] as const).map(
      (what) => `organization.${what}` as const,
    );
    await api.createWebhook(tenant, { url: endpoint.url, events });
    const path = `/${tenant.organizationId}`;
    await operate('PATCH', path, { organization: { contact: 'owner@example.com' } });
    await end(await accept(tenant, 1000), { count: 1000, bad: 300 });
    const waiting = await accept(tenant, 1);
    const reason = 'bounced: 300 of 1000 recipients in 1 h (30 %, limit 20 %)';

    await guard({ throttledMessagesPerMinute: 1 });
    const throttled = await operate('GET', path);
    assert.deepEqual(
      [throttled.throttled_to, throttled.throttle_reason, throttled.suspended_at],
      [1, reason, null],
    );
    const send = async () => (await api.app.inject(sendRequest(tenant))).statusCode;
    assert.deepEqual([await send(), await send()], [200, 429]);

    await guard();
    assert.equal((await operate('GET', path)).suspended_at, null, 'there is a time of grace');

    await guard({ graceSeconds: 0 });
    const suspended = await operate('GET', path);
    assert.deepEqual([suspended.suspension_kind, suspended.suspension_reason], ['abuse', reason]);
    const [listed] = await operate('GET', '?suspended=true');
    assert.deepEqual(listed, suspended);
    const refusal = 'This organization is unable to send emails. Please contact support';
    const refused = await api.app.inject(sendRequest(tenant));
    assert.deepEqual([refused.statusCode, refused.json()], [403, { error: refusal }]);
    const bySmtp = await api.app.inject(submissionRequest(api, tenant, `From: a@${tenant.domain}\r\n\r\nx`));
    assert.equal(bySmtp.statusCode, 422);
    assert.ok(api.invalidated.some((line) => line.startsWith('findCredential')));

    const consignment = await findConsignment(api.store.pool, waiting);
    assert.equal(consignment?.recipients.length, 1, 'what was accepted before is still handed over');

    await operate('DELETE', `${path}/suspension`);
    assert.equal(await send(), 200);
    await guard();
    assert.equal((await operate('GET', path)).throttled_to, null, 'what was before is forgiven');
    assert.deepEqual(await auditOf(tenant), [
      ['organization', 'webhook.created', null],
      ['operator', 'organization.changed', null],
      ['guard', 'organization.throttled', reason],
      ['guard', 'organization.suspended', reason],
      ['operator', 'organization.resumed', null],
    ]);
    const dispatcher = api.startDispatcher();
    const told = (await endpoint.waitFor(3)).map(({ raw }) => JSON.parse(raw.toString()));
    await dispatcher.close();
    await endpoint.close();
    assert.deepEqual(
      told
        .toSorted((a, b) => a.payload.created_at.localeCompare(b.payload.created_at))
        .map(({ event, payload }) => [event, payload.organization_id, payload.kind, payload.reason]),
      [
        ['organization.throttled', tenant.organizationId, null, reason],
        ['organization.suspended', tenant.organizationId, 'abuse', reason],
        ['organization.resumed', tenant.organizationId, null, null],
      ],
    );
  });

  it('leaves alone whom somebody has suspended, and lets go of who got better', async () => {
    const [bad, better] = [await newTenant(), await api.createTenant()];
    for (const tenant of [bad, better]) await end(await accept(tenant, 1000), { count: 1000, bad: 150 });
    await operate('PUT', `/${bad.organizationId}/suspension`, { kind: 'no_plan', reason: 'Unpaid' });
    await guard();
    await end(await accept(better, 1000), { count: 1000 });
    await guard();

    const shown = await operate('GET', `/${bad.organizationId}`);
    assert.deepEqual(
      [shown.suspension_kind, shown.suspension_reason, shown.throttled_to],
      ['no_plan', 'Unpaid', null],
    );
    assert.deepEqual((await api.app.inject(sendRequest(bad))).json(), {
      error: 'The organization that owns this domain does not have an active plan',
    });
    assert.equal((await operate('GET', `/${better.organizationId}`)).throttled_to, null);
    assert.deepEqual(
      (await auditOf(better)).map(([, action]) => action),
      ['organization.throttled', 'organization.unthrottled'],
    );
  });

  it('tells the owner once, by a mail through Postern itself', async () => {
    const notifier = await newTenant();
    const tenant = await api.createTenant();
    await operate('PATCH', `/${tenant.organizationId}`, { organization: { contact: 'owner@example.com' } });
    await end(await accept(tenant, 1000), { count: 1000, bad: 300 });
    await guard();
    const { rows } = await api.store.pool.query(
      `select data from pgboss.job where name = $1 and (data->>'organizationId')::int = $2`,
      [TELL_ORGANIZATION, tenant.organizationId],
    );
    assert.equal(rows.length, 1);
    const webhooks = { ...api.settings.webhooks, notificationAddress: `postern@${notifier.domain}` };
    const settings = { ...api.settings, webhooks };

    for (const _ of [1, 2]) await tellOrganization({ store: api.store, settings, log }, rows[0].data);

    const { rows: mails } = await api.store.pool.query(
      `select message.subject, recipient.address, convert_from(source.content, 'UTF8') as content
         from messages message
         join recipients recipient on recipient.message_id = message.id
         join message_sources source on source.message_id = message.id
        where message.organization_id = $1`,
      [notifier.organizationId],
    );
    assert.deepEqual(
      mails.map(({ subject, address }) => [subject, address]),
      [['Your sending is slowed down', 'owner@example.com']],
    );
    assert.match(mails[0].content, /bounced: 300 of 1000 recipients/);
  });
});
