/** Routes that forward to another address: who has to agree, what leaves, and what becomes of it. */
import assert from 'node:assert/strict';
import { handOver } from '../../../api/jobs/hand-over.ts';
import type { Addressed } from '../../../api/mail/intake.ts';
import { digestRecipient } from '../../../lib/return-path.ts';
import { startWebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { type InboundWorld, receive, startInboundApi } from './support.ts';

const MESSAGE = 'From: bob@example.com\r\nMessage-ID: <f1@example.com>\r\nSubject: Hi\r\n\r\nHello\r\n';

describe('a route that forwards', () => {
  let world: InboundWorld;
  before(async () => {
    world = await startInboundApi('forwarding');
    await world.createRoute('ann@rich.test', { target: 'forward', forward_to: 'ann@rich.test' });
  });
  after(() => world.close());

  const query = async (sql: string, values: unknown[] = []) =>
    (await world.api.store.pool.query(sql, values)).rows;
  const bounces = () =>
    query("select (data->>'inboundMessageId')::int as id from pgboss.job where name = 'bounce-inbound'");

  async function questions(to: string): Promise<string[]> {
    const rows = await query(
      `select source.content from messages message
         join message_sources source on source.message_id = message.id
         join recipients recipient on recipient.message_id = message.id
        where 'forward-confirmation' = any(message.tags) and recipient.address = $1 order by message.id`,
      [to],
    );
    return rows.map(({ content }) => /^ {4}(\d{8})\r$/m.exec(content.toString())?.[1] ?? '');
  }

  /** What the mta is given of the message. */
  async function take(id: number): Promise<Addressed> {
    const taken: Addressed[] = [];
    const intake = {
      handOver: async (consignment: Addressed) => {
        taken.push(consignment);
        return { ok: true as const, refused: [] };
      },
      close() {},
    };
    const { store, settings } = world.api;
    const spam = { ...settings.spam, engine: 'rspamd' as const };
    await handOver({ store, intake, settings: { ...settings, spam } }, id);
    assert.ok(taken[0]);
    return taken[0];
  }

  it('waits until the address has agreed by a code that was sent there; mail is kept meanwhile', async () => {
    const route = await world.createRoute('ask@rich.test', {
      target: 'forward',
      forward_to: 'Eve@example.org',
    });
    assert.deepEqual([route.forward_to, route.confirmed, route.url], ['Eve@example.org', false, null]);
    const early = await receive(world.api, 'ask@rich.test', MESSAGE);
    const kept = await world.reaches(early.body.ids[0], 'stored');
    assert.deepEqual([kept.reason, kept.forward_id], ['Eve@example.org has not agreed yet', null]);
    const soon = await world.call('PATCH', `/inbound_routes/${route.id}`, { forward_to: 'eve@example.org' });
    assert.deepEqual(soon.body.errors, { forward_to: ['was asked less than ten minutes ago'] });

    const [code = ''] = await questions('Eve@example.org');
    const confirm = (given: string) =>
      world.call('POST', `/inbound_routes/${route.id}/confirmation`, { code: given });
    const wrong = await confirm(code === '00000000' ? '11111111' : '00000000');
    assert.deepEqual([wrong.status, wrong.body.errors], [422, { code: ['is not the one that was sent'] }]);
    const confirmed = await confirm(code);
    assert.deepEqual([confirmed.status, confirmed.body.confirmed], [200, true]);
    const { body } = await receive(world.api, 'ask@rich.test', `X: 2\r\n${MESSAGE}`);
    assert.ok((await world.reaches(body.ids[0], 'queued')).forward_id);
    await world.createRoute('second@rich.test', { target: 'forward', forward_to: 'eve@example.org' });
    assert.equal((await questions('eve@example.org')).length, 0, 'nobody is asked twice');
    const actions = await query("select action from audit_entries where action = 'inbound_route.confirmed'");
    assert.equal(actions.length, 1);
  });

  it('takes no code after five wrong ones', async () => {
    const { id } = await world.createRoute('guess@rich.test', {
      target: 'forward',
      forward_to: 'g@example.org',
    });
    const [code = ''] = await questions('g@example.org');
    const confirm = (given: string) =>
      world.call('POST', `/inbound_routes/${id}/confirmation`, { code: given });
    for (let tries = 0; tries < 5; tries++) assert.equal((await confirm('x')).status, 422);
    const { body } = await confirm(code);
    assert.match(body.errors.code[0], /^is no longer good/);
    assert.equal((await world.call('GET', `/inbound_routes/${id}`)).body.confirmed, false);
  });

  it('sends mail on as it came, behind trace fields, unsigned and without a check for spam; no webhook tells of it', async () => {
    const endpoint = await startWebhookEndpoint();
    await world.api.createWebhook(world.tenant, {
      url: endpoint.url,
      events: ['email.queued', 'email.delivered'],
    });
    await world.createRoute('plain@rich.test', { target: 'forward', forward_to: 'other@rich.test' });
    const { body } = await receive(world.api, 'Plain@rich.test', MESSAGE, {
      client: { ip: '2001:db8::1', helo: 'x (y)\r\nEvil: 1', host: null },
    });
    const { forward_id: id } = await world.reaches(body.ids[0], 'queued');
    const { content, isForward, spamThresholds, envelopeFrom, recipients } = await take(id);
    assert.deepEqual(
      [isForward, spamThresholds, envelopeFrom, recipients],
      [true, undefined, 'bob@example.com', ['other@rich.test']],
    );
    const [head = ''] = content.toString().split(MESSAGE);
    assert.equal(content.toString(), head + MESSAGE);
    assert.match(
      head,
      /^Delivered-To: Plain@rich\.test\r\nReceived: from x\?\?y\?\?\?Evil:\?1 \(unknown \[IPv6:2001:db8::1\]\)\r\n\tby \S+ with ESMTP; .*\r\n$/,
    );
    const shown = await world.call('GET', `/messages/${id}`);
    assert.deepEqual([shown.body.source, shown.body.status], ['forward', 'queued']);

    await world.api.report({ messageId: id, recipient: 'other@rich.test', type: 'deferred' });
    await world.reaches(body.ids[0], 'retrying');
    await world.api.report({ messageId: id, recipient: 'other@rich.test', type: 'delivered' });
    await world.reaches(body.ids[0], 'delivered');
    assert.deepEqual(endpoint.received, []);
    assert.deepEqual(await query('select from sending_outcomes'), []);

    // A bounce that comes to the rewritten sender, as inbound gives it on
    await bounceOf(id);
    assert.equal((await world.reaches(body.ids[0], 'failed')).reason, '550 5.1.1 gone');
    assert.deepEqual(await bounces(), [{ id: body.ids[0] }]);
    await endpoint.close();
  });

  async function bounceOf(messageId: number) {
    const recipient = {
      ...{
        addresses: ['other@rich.test'],
        outcome: 'failed',
        status: '5.1.1',
        response: '550 5.1.1 gone',
        mx: null,
      },
      bounce: { class: 'recipient-unknown', isHard: true, action: 'drop', rule: 'x' },
    };
    const response = await world.api.app.inject({
      method: 'POST',
      url: '/rpc/v1/bounce_reports',
      headers: { authorization: `Bearer ${world.api.settings.secrets.serviceToken}` },
      payload: {
        digest: digestRecipient('x').padEnd(64, '0'),
        receivedAt: new Date().toISOString(),
        returnPath: { messageId, recipientDigest: null },
        ...{ original: null, authenticatedDomains: [], recipients: [recipient] },
      },
    });
    assert.equal(response.json().outcome, 'recorded', response.body);
  }

  it('fails what comes back to it: a loop', async () => {
    const looped = `Delivered-To: ANN@rich.test\r\n${MESSAGE}`;
    const { body } = await receive(world.api, 'ann@rich.test', looped);
    const failed = await world.reaches(body.ids[0], 'failed');
    assert.deepEqual(
      [failed.reason, failed.forward_id],
      ['It has been forwarded from here before: a loop', null],
    );
    assert.ok((await bounces()).some(({ id }) => id === body.ids[0]));
  });

  it('keeps what comes while the organization is suspended', async () => {
    const { organizationId } = world.tenant;
    const suspend = (at: string | null) =>
      query('update organizations set suspended_at = $2, suspension_kind = $3 where id = $1', [
        ...[organizationId, at, at && 'abuse'],
      ]);
    await suspend('2026-01-01');
    const { body } = await receive(world.api, 'ann@rich.test', `X: 3\r\n${MESSAGE}`);
    assert.equal((await world.reaches(body.ids[0], 'stored')).reason, 'The organization is suspended');
    await suspend(null);
  });

  it('is refused where the address is none, or cannot be asked', async () => {
    for (const [changes, field] of [
      [{ target: 'forward' }, 'forward_to'],
      [{ target: 'forward', forward_to: 'x' }, 'forward_to'],
      [{ target: 'store', forward_to: 'a@example.org' }, 'forward_to'],
    ] as const) {
      const { status, body } = await world.call('POST', '/inbound_routes', {
        address: 'r@rich.test',
        ...changes,
      });
      assert.deepEqual([status, Object.keys(body.errors)], [422, [field]], JSON.stringify(changes));
    }
    const { id } = await world.createRoute('keeps@rich.test');
    const nobody = await world.call('POST', `/inbound_routes/${id}/confirmation`, { code: 'x' });
    assert.deepEqual(nobody.body.errors, { request: ['the route forwards to nobody'] });
  });
});
