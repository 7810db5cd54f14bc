import assert from 'node:assert/strict';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { deliveryEvent } from '../support/delivery-event.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('messages and their events', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('messages');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  async function send(payload: object = {}, sender = tenant): Promise<number> {
    return (await api.app.inject(sendRequest(sender, payload))).json<{ id: number }>().id;
  }

  function get(url: string, { token } = tenant) {
    return api.app.inject({ url, headers: { 'mailpace-server-token': token } });
  }

  async function show(id: number) {
    const response = await get(`/api/v1/messages/${id}`);
    assert.equal(response.statusCode, 200, response.body);
    return response.json();
  }

  async function report(...events: DeliveryEvent[]) {
    const response = await api.app.inject({
      method: 'POST',
      url: '/rpc/v1/delivery_events',
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
      payload: { events },
    });
    assert.equal(response.statusCode, 200, response.body);
    return response.json();
  }

  it('shows a new message', async () => {
    const id = await send({ subject: 'Grüße', tags: ['a'], cc: 'c@example.com' });

    const { recipients, timeline, ...message } = await show(id);
    assert.deepEqual(
      { ...message, message_id: '', created_at: '', updated_at: '' },
      {
        id,
        status: 'queued',
        domain_id: tenant.domainId,
        domain: tenant.domain,
        source: 'http',
        from: `a@${tenant.domain}`,
        subject: 'Grüße',
        tags: ['a'],
        stream: 'transactional',
        metadata: {},
        sandbox: false,
        send_at: null,
        message_id: '',
        created_at: '',
        updated_at: '',
      },
    );
    assert.deepEqual(
      recipients.map(({ address, kind, status }: { address: string; kind: string; status: string }) => [
        address,
        kind,
        status,
      ]),
      [
        ['b@example.com', 'to', 'queued'],
        ['c@example.com', 'cc', 'queued'],
      ],
    );
    assert.deepEqual(
      timeline.map(({ event }: { event: string }) => event),
      ['accepted'],
    );
  });

  it('shows what became of each recipient, with the reply, the MX and TLS of each attempt', async () => {
    const id = await send({ to: 'b@example.com, c@example.com' });
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', isAuthorized: true };
    await report(
      deliveryEvent({
        messageId: id,
        type: 'deferred',
        occurredAt: '2100-01-01T00:00:01.000Z',
        response: '451 4.7.1 later',
        code: 451,
        enhanced: '4.7.1',
        nextAttemptAt: '2100-01-01T00:01:00.000Z',
      }),
      deliveryEvent({
        messageId: id,
        type: 'bounced',
        recipient: 'c@example.com',
        occurredAt: '2100-01-01T00:00:02.000Z',
        response: '550 5.1.1 no such user',
        code: 550,
        enhanced: '5.1.1',
        category: 'recipient',
      }),
      deliveryEvent({
        messageId: id,
        type: 'delivered',
        attempt: 2,
        occurredAt: '2100-01-01T00:01:00.000Z',
        response: '250 ok',
        code: 250,
        mx: { hostname: 'mx.example.com', address: '192.0.2.1' },
        tls,
      }),
    );

    const { status, recipients, timeline } = await show(id);
    assert.equal(status, 'bounced');
    assert.deepEqual(
      recipients.map((row: Record<string, unknown>) => [
        row.address,
        row.status,
        row.attempts,
        row.response,
        row.mx,
      ]),
      [
        ['b@example.com', 'delivered', 2, '250 ok', 'mx.example.com'],
        ['c@example.com', 'bounced', 1, '550 5.1.1 no such user', null],
      ],
    );
    assert.deepEqual(
      timeline.map(({ event, recipient }: { event: string; recipient: string }) => [event, recipient]),
      [
        ['accepted', null],
        ['deferred', 'b@example.com'],
        ['bounced', 'c@example.com'],
        ['delivered', 'b@example.com'],
      ],
    );
    const { data } = timeline[3];
    assert.deepEqual(
      [data.attempt, data.response, data.mx, data.tls],
      [
        2,
        '250 ok',
        { hostname: 'mx.example.com', address: '192.0.2.1' },
        { version: tls.version, cipher: tls.cipher, is_authorized: true },
      ],
    );
  });

  it('keeps an event once, however often it comes, alone or within one batch', async () => {
    const event = deliveryEvent({ messageId: await send(), type: 'delivered' });

    assert.deepEqual(await report(event, event), { accepted: 1, duplicates: 1 });
    assert.deepEqual(await report(event), { accepted: 0, duplicates: 1 });
    const { timeline } = await show(event.messageId);
    assert.equal(timeline.length, 2);
  });

  it('is not moved back by what comes late', async () => {
    const messageId = await send();
    await report(deliveryEvent({ messageId, type: 'delivered', response: '250 ok', attempt: 2 }));
    await report(deliveryEvent({ messageId, type: 'deferred', response: '451', attempt: 1 }));

    const { status, recipients, timeline } = await show(messageId);
    assert.deepEqual([status, recipients[0].response, recipients[0].attempts], ['delivered', '250 ok', 2]);
    assert.equal(timeline.length, 3);
  });

  it('takes batches that arrive at the same time, in any order of their messages', async () => {
    const ids = await Promise.all(Array.from({ length: 8 }, () => send()));
    const batches = Array.from({ length: 6 }, (_, n) => {
      const events = ids.map((messageId) =>
        deliveryEvent({ messageId, type: n % 2 ? 'delivered' : 'deferred' }),
      );
      return report(...(n % 2 ? events : events.reverse()));
    });
    await Promise.all(batches);

    for (const id of ids) assert.equal((await show(id)).status, 'delivered');
  });

  it('drops events of messages that it does not know, and keeps the others', async () => {
    const known = deliveryEvent({ messageId: await send(), type: 'delivered' });
    assert.deepEqual(await report(deliveryEvent({ messageId: 999_999_999, type: 'delivered' }), known), {
      accepted: 1,
      duplicates: 0,
    });
  });

  it('stores replies that hold NUL, half a surrogate pair and worse (OB-8)', async () => {
    const response = '550 \0 \ud800 \u001b[31m <script> {"a":';
    const messageId = await send();
    await report(deliveryEvent({ messageId, type: 'bounced', response }));

    const { recipients } = await show(messageId);
    assert.equal(recipients[0].response, '550 \ufffd \ufffd \u001b[31m <script> {"a":');
  });

  it('answers the same for another tenant, a missing id and nonsense (AU-9)', async () => {
    const foreign = await send({}, await api.createTenant());
    const answers = await Promise.all(
      [foreign, 999_999_999, 0, -1, '9'.repeat(40), 'x', '1e3', "1' or 1=1--", '%00'].map((id) =>
        get(`/api/v1/messages/${id}`),
      ),
    );

    for (const answer of answers) {
      assert.deepEqual([answer.statusCode, answer.body], [404, JSON.stringify({ error: 'Not found' })]);
    }
  });

  it('needs a token that is good', async () => {
    const id = await send();
    const missing = await api.app.inject({ url: `/api/v1/messages/${id}` });
    assert.deepEqual([missing.statusCode, missing.json()], [401, { error: 'Missing API Token' }]);
    const wrong = await get(`/api/v1/messages/${id}`, { ...tenant, token: 'x' });
    assert.deepEqual([wrong.statusCode, wrong.json()], [400, { error: 'Invalid API Token' }]);
  });

  it('refuses events without the service token, and bad ones as a whole', async () => {
    const before = await countRows(api, 'events');
    const request = { method: 'POST', url: '/rpc/v1/delivery_events' } as const;
    assert.equal((await api.app.inject({ ...request, payload: { events: [] } })).statusCode, 401);
    const headers = { authorization: `Bearer ${api.settings.secrets.serviceToken}` };
    const messageId = before;
    const events = [deliveryEvent({ messageId, type: 'delivered' }), { id: 'x' }];
    assert.equal((await api.app.inject({ ...request, headers, payload: { events } })).statusCode, 400);
    assert.equal(await countRows(api, 'events'), before);
  });
});
