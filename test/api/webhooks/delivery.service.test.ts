import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { inTransaction } from '../../../api/database.ts';
import { recordEvents } from '../../../api/models/event.ts';
import type { Dispatcher } from '../../../api/webhooks/dispatcher.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { importPublicKey, isSignedBy } from '../../support/webhook-signature.ts';
import type { Tenant } from '../support.ts';
import { startWebhookApi, type WebhookApi } from './support.ts';

describe('webhooks, from the event to the endpoint', () => {
  let api: WebhookApi;
  let tenant: Tenant;
  let endpoint: WebhookEndpoint;
  let dispatcher: Dispatcher;

  before(async () => {
    api = await startWebhookApi('webhooks');
    dispatcher = api.startDispatcher();
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
    endpoint = await startWebhookEndpoint();
  });
  afterEach(() => endpoint.close());
  after(async () => {
    await dispatcher.close();
    await api.close();
  });

  const names = () => endpoint.received.map(({ body }) => body.event);

  async function deliveries(webhookId: number, query = '') {
    return (await api.manage(tenant, 'GET', `/webhooks/${webhookId}/deliveries${query}`)).body;
  }

  async function waitForState(webhookId: number, state: string, count = 1) {
    for (let waited = 0; ; waited += 20) {
      const found = await deliveries(webhookId, `?state=${state}`);
      if (found.length >= count) return found;
      if (waited > 5_000) throw new Error(`${found.length} of ${count} are ${state}`);
      await sleep(20);
    }
  }

  /** Makes everything that waits for its next attempt due now. */
  async function passTime(): Promise<void> {
    await api.store.pool.query(`update webhook_deliveries set next_attempt_at = now() where claim is null`);
  }

  it('sends what the contract says, signed in all three ways', async () => {
    const { secret } = await api.createWebhook(tenant, { url: `${endpoint.url}/hook?x=1` });
    const id = await api.send(tenant, {
      from: `Shop <a@${tenant.domain}>`,
      to: 'Bo <b@example.com>, c@example.com',
      cc: 'd@example.com',
      bcc: 'e@example.com',
      subject: 'Grüße 🎉',
      htmlbody: '<p>Grüße</p>',
      textbody: 'Grüße',
      replyto: 'r@example.com',
      list_unsubscribe: '<https://example.com/u>',
      tags: ['a', 'b'],
    });
    await endpoint.waitFor(1);

    const [webhook] = endpoint.received;
    assert.ok(webhook);
    assert.deepEqual(
      [webhook.method, webhook.path, webhook.headers['content-type'], webhook.headers['user-agent']],
      ['POST', '/hook?x=1', 'application/json', 'mailpace_webhooks/1.0'],
    );
    const { event, payload } = webhook.body;
    assert.equal(event, 'email.queued');
    assert.deepEqual(payload, {
      status: 'queued',
      id,
      domain_id: tenant.domainId,
      created_at: payload.created_at,
      updated_at: payload.created_at,
      from: `Shop <a@${tenant.domain}>`,
      to: '"Bo" <b@example.com>, c@example.com',
      htmlbody: '<p>Grüße</p>',
      textbody: 'Grüße',
      cc: 'd@example.com',
      bcc: 'e@example.com',
      subject: 'Grüße 🎉',
      replyto: 'r@example.com',
      message_id: payload.message_id,
      list_unsubscribe: '<https://example.com/u>',
      tags: ['a', 'b'],
      recipient: null,
      bounce_class: null,
      reply: null,
      reply_code: null,
      enhanced_code: null,
      attempt: null,
      metadata: null,
    });
    assert.match(String(payload.created_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.match(String(payload.message_id), /^<[^>]+@[^>]+>$/);

    const keys = (await api.manage(tenant, 'GET', '/webhook_keys')).body;
    assert.ok(isSignedBy(importPublicKey(keys[0].public_key), webhook));
    assert.deepEqual(
      new Webhook(secret).verify(webhook.raw, webhook.headers as Record<string, string>),
      webhook.body,
    );
  });

  it('says null of what is not there', async () => {
    await api.createWebhook(tenant, { url: endpoint.url });
    await api.send(tenant, { textbody: 'Hello' });
    const [webhook] = await endpoint.waitFor(1);
    const { htmlbody, cc, bcc, subject, replyto, list_unsubscribe, tags } = webhook?.body.payload ?? {};
    assert.deepEqual([htmlbody, cc, bcc, subject, replyto, list_unsubscribe, tags], Array(7).fill(null));
  });

  it('tells of each event in order, with recipient, bounce class and reply', async () => {
    await api.createWebhook(tenant, { url: endpoint.url });
    const messageId = await api.send(tenant, { to: 'b@example.com, c@example.com' });
    await api.report(
      {
        messageId,
        type: 'deferred',
        response: '451 4.7.1 later',
        code: 451,
        enhanced: '4.7.1',
        category: 'greylist',
      },
      { messageId, type: 'deferred', response: '451 4.7.1 later', code: 451, attempt: 2 },
    );
    await api.report(
      { messageId, type: 'delivered', response: '250 ok', code: 250, attempt: 3 },
      {
        messageId,
        type: 'bounced',
        recipient: 'c@example.com',
        response: '550 5.1.1 \u001b[31mno\0 "such" user',
        code: 550,
        enhanced: '5.1.1',
        category: 'recipient',
      },
      { messageId, type: 'deferred', response: 'late', attempt: 1 }, // is news to nobody
    );
    await endpoint.waitFor(5);

    assert.deepEqual(names(), [
      'email.queued',
      'email.deferred',
      'email.deferred',
      'email.delivered',
      'email.bounced',
    ]);
    const { status, recipient, bounce_class, reply, reply_code, enhanced_code, attempt } =
      endpoint.received[4]?.body.payload ?? {};
    assert.deepEqual(
      { status, recipient, bounce_class, reply, reply_code, enhanced_code, attempt },
      {
        status: 'bounced',
        recipient: 'c@example.com',
        bounce_class: 'recipient-unknown',
        reply: '550 5.1.1 \u001b[31mno\ufffd "such" user',
        reply_code: 550,
        enhanced_code: '5.1.1',
        attempt: 1,
      },
    );
    await sleep(50);
    assert.equal(endpoint.received.length, 5);
  });

  it('tells each endpoint what it chose, and nobody of another domain (HK-17)', async () => {
    const other = await api.createTenant();
    const second = await startWebhookEndpoint();
    await api.createWebhook(tenant, { url: endpoint.url, events: ['email.bounced', 'email.expired'] });
    await api.createWebhook(tenant, { url: second.url, events: ['email.delivered', 'email.suppressed'] });
    for (const type of ['delivered', 'bounced', 'expired', 'suppressed'] as const) {
      await api.report({ messageId: await api.send(tenant), type });
    }
    await api.report({ messageId: await api.send(other), type: 'bounced' });
    await endpoint.waitFor(2);
    await second.waitFor(2);
    await sleep(50);

    assert.deepEqual(names().sort(), ['email.bounced', 'email.expired']);
    assert.deepEqual(second.received.map(({ body }) => body.event).sort(), [
      'email.delivered',
      'email.suppressed',
    ]);
    await second.close();
  });

  it('tells of what the filter held back (email.spam)', async () => {
    await api.createWebhook(tenant, { url: endpoint.url, events: ['email.spam'] });
    const messageId = await api.send(tenant);
    const event = { id: randomUUID(), messageId, recipient: 'b@example.com', type: 'spam' as const };
    await inTransaction(api.store, (tx) =>
      recordEvents(tx, [{ ...event, occurredAt: new Date().toISOString(), data: {} }]),
    );
    const [webhook] = await endpoint.waitFor(1);
    const { status, recipient } = webhook?.body.payload ?? {};
    assert.deepEqual([webhook?.body.event, status, recipient], ['email.spam', 'spam', 'b@example.com']);
  });

  it("shows each attempt on the message's timeline", async () => {
    const { id: webhookId } = await api.createWebhook(tenant, { url: endpoint.url });
    endpoint.answer = () => ({ status: 500, body: 'not now' });
    const id = await api.send(tenant);
    const [delivery] = await waitForAttempt(webhookId);
    const headers = { 'mailpace-server-token': tenant.token };
    const { timeline } = (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();

    assert.deepEqual(
      timeline.map(({ event }: { event: string }) => event),
      ['accepted', 'webhook'],
    );
    const { duration_ms, ...data } = timeline[1].data;
    assert.ok(Number.isInteger(duration_ms));
    assert.deepEqual(data, {
      ...{ webhook_event: 'email.queued', webhook_id: webhookId, delivery_id: delivery.id },
      ...{ outcome: 'failed', status: 500, response: 'not now' },
    });
  });

  it('writes nothing where nobody listens', async () => {
    await api.report({ messageId: await api.send(tenant), type: 'delivered' });
    const { rows } = await api.store.pool.query(
      'select from webhook_deliveries delivery join messages message on message.id = delivery.message_id where message.domain_id = $1',
      [tenant.domainId],
    );
    assert.equal(rows.length, 0);
  });

  it('keeps the order of a message while its first event fails, and others go on', async () => {
    const { id: webhookId } = await api.createWebhook(tenant, { url: endpoint.url });
    const stuck = await api.send(tenant);
    endpoint.answer = ({ body }) => ({ status: body.payload.id === stuck ? 500 : 200 });
    await endpoint.waitFor(1);
    const other = await api.send(tenant);
    await api.report({ messageId: stuck, type: 'delivered' }, { messageId: other, type: 'delivered' });
    await waitForState(webhookId, 'delivered', 2);

    assert.deepEqual(
      endpoint.received.filter(({ body }) => body.payload.id === stuck).map(({ body }) => body.event),
      ['email.queued'],
    );
    endpoint.answer = () => ({ status: 200 });
    await passTime();
    await waitForState(webhookId, 'delivered', 4);
    assert.deepEqual(
      endpoint.received.filter(({ body }) => body.payload.id === stuck).map(({ body }) => body.event),
      ['email.queued', 'email.queued', 'email.delivered'],
    );
    const [first, second] = endpoint.received.filter(({ body }) => body.payload.id === stuck);
    assert.equal(first?.headers['webhook-id'], second?.headers['webhook-id']);
    assert.deepEqual(first?.raw, second?.raw);
  });

  for (const [status, isOk] of [
    ...[200, 201, 204].map((code) => [code, true] as const),
    ...[301, 400, 401, 404, 500, 502].map((code) => [code, false] as const),
  ]) {
    it(`HK-8: takes ${status} for ${isOk ? 'success' : 'failure'}`, async () => {
      const { id: webhookId } = await api.createWebhook(tenant, { url: endpoint.url });
      endpoint.answer = () => ({ status, headers: { location: endpoint.url } });
      await api.send(tenant);
      await endpoint.waitFor(1);
      const [delivery] = isOk ? await waitForState(webhookId, 'delivered') : await waitForAttempt(webhookId);
      assert.deepEqual(
        [delivery.state, delivery.attempts, delivery.last_attempt.status, delivery.last_attempt.outcome],
        isOk ? ['delivered', 0, status, 'delivered'] : ['pending', 1, status, 'failed'],
      );
      assert.equal(endpoint.received.length, 1);
    });
  }

  async function waitForAttempt(webhookId: number) {
    for (let waited = 0; ; waited += 20) {
      const found = await deliveries(webhookId);
      if (found[0]?.last_attempt) return found;
      if (waited > 5_000) throw new Error('no attempt was noted');
      await sleep(20);
    }
  }

  it('HK-7: stores 512 bytes of the answer', async () => {
    const { id: webhookId } = await api.createWebhook(tenant, { url: endpoint.url });
    endpoint.answer = () => ({ status: 500, body: `\0${'é'.repeat(2000)}` });
    await api.send(tenant);
    const [delivery] = await waitForAttempt(webhookId);
    assert.ok(Buffer.byteLength(delivery.last_attempt.response) <= 516);
    assert.ok(delivery.last_attempt.response.startsWith('\ufffdé'));
  });

  it('HK-8: 410 switches it off; events are kept, and come once it is on again', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    endpoint.answer = () => ({ status: 410 });
    await api.send(tenant);
    await waitForAttempt(id);
    await api.send(tenant);
    await sleep(50);

    const { body } = await api.manage(tenant, 'GET', `/webhooks/${id}`);
    assert.deepEqual([body.status, body.disabled_reason], ['disabled', 'gone']);
    await passTime();
    await sleep(300);
    assert.equal(endpoint.received.length, 1);

    endpoint.answer = () => ({ status: 200 });
    const enabled = await api.manage(tenant, 'PUT', `/webhooks/${id}/activation`);
    assert.deepEqual([enabled.body.status, enabled.body.failures], ['enabled', 0]);
    await waitForState(id, 'delivered', 2);
  });

  it('HK-8: a 503 with Retry-After holds everything to that endpoint for as long, capped', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url });
    endpoint.answer = () => ({ status: 503, headers: { 'retry-after': '999999999' } });
    await api.send(tenant);
    const [delivery] = await waitForAttempt(id);
    await api.send(tenant);
    await sleep(300);

    assert.equal(endpoint.received.length, 1);
    const { body } = await api.manage(tenant, 'GET', `/webhooks/${id}`);
    const hours = (moment: string) => Math.round((Date.parse(moment) - Date.now()) / 3_600_000);
    assert.deepEqual([hours(body.paused_until), hours(delivery.next_attempt_at)], [24, 24]);
  });

  it('HK-9: is dead after ten attempts, and replayed by id with the same webhook-id', async () => {
    const { id } = await api.createWebhook(tenant, { url: endpoint.url, events: ['email.queued'] });
    endpoint.answer = () => ({ status: 500, body: 'no' });
    await api.send(tenant);
    for (let count = 1; count <= 10; count++) {
      await endpoint.waitFor(count);
      for (let waited = 0; (await deliveries(id))[0].attempts < count; waited += 10) {
        assert.ok(waited < 5_000);
        await sleep(10);
      }
      await passTime();
    }
    const [dead] = await waitForState(id, 'dead');
    assert.equal(dead.attempts, 10);
    const shown = (await api.manage(tenant, 'GET', `/webhooks/${id}/deliveries/${dead.id}`)).body;
    assert.equal(shown.timeline.length, 10);

    endpoint.answer = () => ({ status: 200 });
    const replay = await api.manage(tenant, 'POST', `/webhooks/${id}/replays`, { delivery_ids: [dead.id] });
    assert.deepEqual(replay.body, { count: 1, dry_run: false });
    await waitForState(id, 'delivered');
    assert.equal(endpoint.received.at(-1)?.headers['webhook-id'], dead.id);
    assert.equal(new Set(endpoint.received.map(({ headers }) => headers['webhook-id'])).size, 1);
  });

  it('HK-16: cuts long texts off, and still sends JSON', async () => {
    await api.createWebhook(tenant, { url: endpoint.url, events: ['email.queued'] });
    await api.send(tenant, { htmlbody: `<p>${'🎉"\\'.repeat(40_000)}</p>`, textbody: 'short', subject: 's' });
    const [webhook] = await endpoint.waitFor(1);
    assert.ok((webhook?.raw.length ?? 0) <= 20_480);
    const { htmlbody, textbody, truncated } = webhook?.body.payload ?? {};
    assert.ok(String(htmlbody).startsWith('<p>🎉"\\'));
    assert.ok(String(htmlbody).length > 5_000);
    assert.deepEqual([textbody, truncated], ['short', ['htmlbody']]);
  });

  it('counts what it did', async () => {
    const text = await api.registry.metrics();
    assert.match(text, /postern_webhook_attempts_total\{outcome="delivered"\} \d+/);
    assert.match(text, /postern_webhook_oldest_due_seconds \d+/);
  });
});
