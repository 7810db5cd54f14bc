/**
 * Section 2 of the contract, and what goes beyond it: an endpoint of a customer hears of everything that becomes of its
 * mail, signed; what it missed is sent again; and the message's timeline shows each attempt to tell it.
 */
import assert from 'node:assert/strict';
import { Webhook } from 'standardwebhooks';
import { readSettings } from '../../config/load.ts';
import { deliveryEvent } from '../support/delivery-event.ts';
import { newRecipient, readMessage, send, waitFor, waitForStatus } from '../support/mail.ts';
import { createOrganization, type TestOrganization } from '../support/organizations.ts';
import { postern } from '../support/postern.ts';
import { requestRaw } from '../support/raw-request.ts';
import { GTUBE, requireRspamd } from '../support/spam.ts';
import { readStack, type Stack } from '../support/stack.ts';
import {
  type ReceivedWebhook,
  startWebhookEndpoint,
  type WebhookEndpoint,
} from '../support/webhook-endpoint.ts';
import { importPublicKey, isSignedBy } from '../support/webhook-signature.ts';

const EVENTS = ['queued', 'delivered', 'deferred', 'bounced', 'spam', 'suppressed', 'expired'];
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('webhooks (contract 2)', () => {
  let stack: Stack;
  let endpoint: WebhookEndpoint;
  /** Of a domain of its own */
  let sender: TestOrganization;
  let webhook: { id: number; secret: string };

  before(async () => {
    stack = readStack();
    sender = await createOrganization(stack);
    endpoint = await startWebhookEndpoint();
    const events = EVENTS.map((event) => `email.${event}`);
    webhook = await manage('POST', '/webhooks', { webhook: { url: `${endpoint.url}/hook`, events } });
  });
  after(() => endpoint.close());
  afterEach(() => {
    endpoint.answer = () => ({ status: 200 });
  });

  async function manage(method: string, path: string, body?: object) {
    const headers = {
      'Content-Type': 'application/json',
      'MailPace-Organization-Token': sender.organizationToken,
    };
    const url = `${stack.api}/api/v1/domains/${sender.domainId}${path}`;
    const answer = await requestRaw({ method, url, headers, body });
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const sendMail = (fields: object) =>
    send(stack, { from: `Shop <s@${sender.domain}>`, ...fields }, sender.token);

  const heardOf = (id: number) => endpoint.received.filter(({ body }) => body.payload.id === id);

  async function waitForEvents(id: number, ...events: string[]): Promise<ReceivedWebhook[]> {
    const heard = await waitFor(`webhooks of message ${id}: ${events}`, async () =>
      heardOf(id).length >= events.length ? heardOf(id) : undefined,
    );
    assert.deepEqual(
      heard.map(({ body }) => body.event),
      events.map((event) => `email.${event}`),
    );
    return heard;
  }

  async function assertSigned(received: ReceivedWebhook): Promise<void> {
    const [{ public_key: key }] = await manage('GET', '/webhook_keys');
    assert.ok(isSignedBy(importPublicKey(key), received), 'by Ed25519, both ways');
    const headers = received.headers as Record<string, string>;
    assert.deepEqual(new Webhook(webhook.secret).verify(received.raw, headers), received.body);
    assert.match(headers['x-mailpace-signature'] ?? '', /^[A-Za-z0-9+/]{86}==$/);
  }

  it('the key is that of the domain', async () => {
    const headers = { 'MailPace-Organization-Token': sender.organizationToken };
    const url = `${stack.api}/api/v1/domains/${sender.domainId}`;
    const { body } = await requestRaw({ method: 'GET', url, headers });
    assert.deepEqual(
      (await manage('GET', '/webhook_keys')).map((key: { public_key: string }) => key.public_key),
      [body.webhook_public_key],
    );
  });

  it('email.queued and email.delivered, with the body of the contract', async () => {
    const recipient = newRecipient();
    const id = await sendMail({
      to: recipient,
      cc: newRecipient(),
      bcc: newRecipient(),
      subject: 'Grüße 🎉',
      textbody: 'Text',
      htmlbody: '<p>HTML</p>',
      replyto: 'r@example.test',
      list_unsubscribe: '<https://example.test/u>',
      tags: ['one', 'two'],
    });
    await waitForStatus(stack, id, 'delivered', sender.token);
    const [queued, delivered] = await waitForEvents(id, 'queued', 'delivered', 'delivered', 'delivered');
    assert.ok(queued && delivered);

    for (const received of heardOf(id)) await assertSigned(received);
    const { method, path, headers } = queued;
    assert.deepEqual([method, path, headers['content-type']], ['POST', '/hook', 'application/json']);
    assert.equal(headers['user-agent'], 'mailpace_webhooks/1.0');
    const { created_at, updated_at, message_id, cc, bcc, ...payload } = queued.body.payload;
    const beyond = [
      'recipient',
      'bounce_class',
      'reply',
      'reply_code',
      'enhanced_code',
      'attempt',
      'metadata',
    ];
    assert.deepEqual(payload, {
      ...{ status: 'queued', id, domain_id: sender.domainId },
      ...{ from: `Shop <s@${sender.domain}>`, to: recipient, subject: 'Grüße 🎉' },
      ...{ textbody: 'Text', htmlbody: '<p>HTML</p>', replyto: 'r@example.test' },
      ...{ list_unsubscribe: '<https://example.test/u>', tags: ['one', 'two'] },
      ...Object.fromEntries(beyond.map((name) => [name, null])),
    });
    assert.match(String(created_at), MOMENT);
    assert.match(String(updated_at), MOMENT);
    assert.match(String(message_id), /^<[^<>@]+@[^<>@]+>$/);
    assert.match(`${cc} ${bcc}`, /^deliver\S+ deliver\S+$/);
    assert.equal(delivered.body.payload.status, 'delivered');
    assert.match(String(delivered.body.payload.reply), /^250 /);
  });

  it('null for what a message does not have', async () => {
    const id = await sendMail({ to: newRecipient(), subject: undefined });
    const [queued] = await waitForEvents(id, 'queued').catch(() => heardOf(id));
    const { htmlbody, cc, bcc, subject, replyto, list_unsubscribe, tags } = queued?.body.payload ?? {};
    assert.deepEqual([htmlbody, cc, bcc, subject, replyto, list_unsubscribe, tags], Array(7).fill(null));
  });

  it('email.deferred before email.delivered, with the reply', async () => {
    const id = await sendMail({ to: newRecipient('defer-once') });
    const [, deferred] = await waitForEvents(id, 'queued', 'deferred', 'delivered');
    assert.ok(deferred);
    await assertSigned(deferred);
    const { status, reply, reply_code, enhanced_code, attempt } = deferred.body.payload;
    assert.deepEqual([status, reply_code, enhanced_code, attempt], ['deferred', 451, '4.7.1', 1]);
    assert.match(String(reply), /^451 4\.7\.1 Greylisting/);
  });

  it('email.bounced, with recipient, class and metadata; then email.suppressed for mail on its way', async () => {
    const recipient = newRecipient('bounce');
    const bounced = await sendMail({ to: recipient, metadata: { order: '4711' } });
    const [, event] = await waitForEvents(bounced, 'queued', 'bounced');
    assert.ok(event);
    await assertSigned(event);
    const { status, bounce_class, reply_code, enhanced_code, metadata } = event.body.payload;
    assert.deepEqual([status, reply_code, enhanced_code], ['bounced', 550, '5.1.1']);
    assert.deepEqual([event.body.payload.recipient, metadata], [recipient, { order: '4711' }]);
    assert.equal(bounce_class, 'recipient-unknown');

    const later = newRecipient('defer');
    const id = await sendMail({ to: later });
    await waitForStatus(stack, id, 'deferred', sender.token);
    const headers = { 'Content-Type': 'application/json', 'MailPace-Server-Token': sender.token };
    const url = `${stack.api}/api/v1/suppressions`;
    await requestRaw({ method: 'POST', url, headers, body: { address: later } });
    const suppressed = await waitFor('email.suppressed', async () =>
      heardOf(id).find(({ body }) => body.event === 'email.suppressed'),
    );
    assert.equal(suppressed.body.payload.recipient, later);
    await assertSigned(suppressed);
  });

  it('email.spam, when the check for spam refuses', async function () {
    requireRspamd(this);
    const recipient = newRecipient();
    const id = await sendMail({ to: recipient, textbody: GTUBE });
    const [, spam] = await waitForEvents(id, 'queued', 'spam');
    assert.ok(spam);
    await assertSigned(spam);
    const { status, reply } = spam.body.payload;
    assert.deepEqual([status, spam.body.payload.recipient], ['spam', recipient]);
    assert.match(String(reply), /^550 5\.7\.1 Refused as spam: spam=15\.00/);
  });

  it('email.expired, as the mta reports it after two days', async () => {
    const recipient = newRecipient('defer');
    const id = await sendMail({ to: recipient });
    await waitForStatus(stack, id, 'deferred', sender.token);
    await reportExpired(id, recipient);
    const expired = await waitFor('email.expired', async () =>
      heardOf(id).find(({ body }) => body.event === 'email.expired'),
    );
    assert.deepEqual([expired.body.payload.status, expired.body.payload.recipient], ['expired', recipient]);
    await assertSigned(expired);
  });

  /** With the token that the services have. */
  async function reportExpired(messageId: number, recipient: string): Promise<void> {
    const settings = readSettings(process.env);
    assert.ok(settings.ok);
    const event = deliveryEvent({
      messageId,
      recipient,
      type: 'expired',
      occurredAt: new Date().toISOString(),
    });
    const answer = await requestRaw({
      method: 'POST',
      url: `${stack.api}/rpc/v1/delivery_events`,
      headers: {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${settings.settings.secrets.serviceToken}`,
      },
      body: { events: [event] },
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  }

  it('what failed is sent again, with the same id and body, in order; the timeline shows each attempt', async () => {
    endpoint.answer = ({ body }) =>
      body.event === 'email.queued' && heardOf(Number(body.payload.id)).length === 1
        ? { status: 500, body: 'not now' }
        : { status: 200 };
    const id = await sendMail({ to: newRecipient() });
    const [first, second] = await waitForEvents(id, 'queued', 'queued', 'delivered');
    assert.deepEqual(first?.raw, second?.raw);
    assert.equal(first?.headers['webhook-id'], second?.headers['webhook-id']);
    assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= 4_500, 'five seconds later, a tenth more or less');

    const timeline = await waitFor('three attempts on the timeline', async () => {
      const found = (await readMessage(stack, id, sender.token)).timeline.filter(
        ({ event }) => event === 'webhook',
      );
      return found.length === 3 ? found : undefined;
    });
    assert.deepEqual(
      timeline.map(({ data }) => [data.webhook_event, data.outcome, data.status, data.response]),
      [
        ['email.queued', 'failed', 500, 'not now'],
        ['email.queued', 'delivered', 200, ''],
        ['email.delivered', 'delivered', 200, ''],
      ],
    );
    assert.deepEqual(
      timeline.map(({ data }) => [data.webhook_id, data.delivery_id === first?.headers['webhook-id']]),
      [
        [webhook.id, true],
        [webhook.id, true],
        [webhook.id, false],
      ],
    );
  });

  it('replay by the API and by bin/postern webhook replay: the same id and body', async () => {
    const id = await sendMail({ to: newRecipient() });
    const [queued] = await waitForEvents(id, 'queued', 'delivered');
    const deliveryId = String(queued?.headers['webhook-id']);
    const path = `/webhooks/${webhook.id}`;
    await waitFor('both are noted', async () => {
      const shown = await manage('GET', `${path}/deliveries/${deliveryId}`);
      return shown.state === 'delivered' || undefined;
    });

    const selection = { delivery_ids: [deliveryId], state: 'delivered' };
    assert.deepEqual(await manage('POST', `${path}/replays`, selection), { count: 1, dry_run: false });
    const afterApi = await waitFor('the replay of the API', async () => heardOf(id)[2]);
    await waitFor('it is noted', async () => {
      const shown = await manage('GET', `${path}/deliveries/${deliveryId}`);
      return (shown.state === 'delivered' && shown.timeline.length === 2) || undefined;
    });

    const stdout = await postern(
      ...['webhook', 'replay', String(webhook.id), '--domain', sender.domain, '--state', 'delivered'],
      ...['--delivery', deliveryId, '--organization-token', sender.organizationToken],
    );
    assert.match(stdout, /^1 deliveries are sent again\.$/m);
    const afterCli = await waitFor('the replay of the command', async () => heardOf(id)[3]);
    for (const again of [afterApi, afterCli]) {
      assert.deepEqual([again.headers['webhook-id'], again.raw], [deliveryId, queued?.raw]);
      await assertSigned(again);
    }
  });

  it('another organization sees nothing of it (HK-17)', async () => {
    const headers = { 'MailPace-Organization-Token': stack.organizationToken };
    const path = `/domains/${sender.domainId}/webhooks/${webhook.id}/deliveries`;
    const answer = await requestRaw({ method: 'GET', url: `${stack.api}/api/v1${path}`, headers });
    assert.deepEqual([answer.status, answer.body], [404, { error: 'Not found' }]);
  });
});
