/** What is kept of mail that comes in, and who is told. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { inTransaction } from '../../../api/database.ts';
import { createOperatorToken } from '../../../api/models/api-token.ts';
import { purgeInboundMessages } from '../../../api/models/inbound-message.ts';
import { startWebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { sendRequest } from '../support.ts';
import { AUTHENTICATION, type InboundWorld, receive, startInboundApi } from './support.ts';

describe('mail that came in', () => {
  let world: InboundWorld;
  before(async () => {
    world = await startInboundApi('inbound_messages');
  });
  after(() => world.close());

  it('keeps a message once, however often it comes, and shows it byte for byte', async () => {
    await world.createRoute('kept@rich.test');
    const content = Buffer.from('From: a@b.example\r\nSubject: x\r\n\r\n\xff\x00 latin\r\n', 'latin1');
    const first = await receive(world.api, 'kept@rich.test', content);
    const second = await receive(world.api, 'kept@rich.test', content);
    assert.deepEqual([first.body.ids.length, second.body], [1, { ids: [], duplicates: 1, unknown: [] }]);
    const [id] = first.body.ids;
    const shown = await world.call('GET', `/inbound_messages/${id}`);
    assert.deepEqual([shown.body.status, shown.body.spf], ['stored', AUTHENTICATION.spf]);
    const source = await world.api.app.inject({
      url: `/api/v1/inbound_messages/${id}/source`,
      headers: { 'mailpace-server-token': world.tenant.token },
    });
    assert.deepEqual(source.rawPayload, content);
  });

  it('lists page by page, newest first', async () => {
    const { id } = await world.createRoute('many@rich.test');
    for (const text of ['1', '2', '3'])
      await receive(world.api, 'many@rich.test', `Subject: ${text}\r\n\r\n`);
    const subjects: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await world.call(
        'GET',
        `/inbound_messages?route_id=${id}&limit=2${cursor && `&cursor=${cursor}`}`,
      );
      subjects.push(...page.body.inbound_messages.map(({ subject }: { subject: string }) => subject));
      cursor = page.body.next_cursor;
    }
    assert.deepEqual(subjects, ['3', '2', '1']);
  });

  it('purges what is over the retention, and its source with the last recipient', async () => {
    const { id: routeId } = await world.createRoute('old@rich.test');
    const to = ['old@rich.test', 'old+2@rich.test'].map((address) => ({ address, routeId }));
    const envelope = { from: 'bob@example.com', to };
    const { body } = await receive(world.api, 'old@rich.test', 'Subject: old\r\n\r\n', { envelope });
    const [first, second] = body.ids;
    const sources = async () => {
      const { rows } = await world.api.store.pool.query(
        `select from inbound_sources where content = 'Subject: old\\015\\012\\015\\012'`,
      );
      return rows.length;
    };
    for (const [id, left] of [
      [first, 1],
      [second, 0],
    ]) {
      const age = "update inbound_messages set updated_at = now() - interval '400 days' where id = $1";
      await world.api.store.pool.query(age, [id]);
      assert.equal(await inTransaction(world.api.store, (tx) => purgeInboundMessages(tx, 10)), 1);
      assert.deepEqual(
        [(await world.call('GET', `/inbound_messages/${id}`)).status, await sources()],
        [404, left],
      );
    }
  });

  it('tells operators alone what came for postmaster', async () => {
    const { body } = await receive(world.api, 'postmaster@rich.test', 'Subject: help\r\n\r\n');
    const [id] = body.ids;
    assert.equal((await world.call('GET', `/inbound_messages/${id}`)).status, 404);

    const { token } = await createOperatorToken(world.api.store.pool, {});
    const ask = (method: 'GET' | 'PUT' | 'DELETE', path: string) =>
      world.api.app.inject({
        method,
        url: `/api/v1/operator_messages${path}`,
        headers: { 'postern-operator-token': token },
      });
    const open = async () => {
      const page = (await ask('GET', '?seen=false&purpose=postmaster')).json();
      return page.operator_messages.map((one: { id: number }) => one.id);
    };
    assert.deepEqual(await open(), [id]);
    const shown = (await ask('GET', `/${id}`)).json();
    assert.deepEqual(
      [shown.subject, shown.envelope.to, shown.seen_at],
      ['help', 'postmaster@rich.test', null],
    );
    assert.equal((await ask('GET', `/${id}/source`)).body, 'Subject: help\r\n\r\n');
    const seen = (await ask('PUT', `/${id}/seen`)).json();
    assert.equal((await ask('PUT', `/${id}/seen`)).json().seen_at, seen.seen_at);
    assert.deepEqual([typeof seen.seen_at, await open()], ['string', []]);
    assert.equal((await ask('DELETE', `/${id}/seen`)).json().seen_at, null);
    assert.deepEqual(await open(), [id]);

    await world.createRoute('theirs@rich.test');
    const theirs = (await receive(world.api, 'theirs@rich.test', 'Subject: no\r\n\r\n')).body.ids[0];
    for (const path of [`/${theirs}`, `/${theirs}/source`])
      assert.equal((await ask('GET', path)).statusCode, 404);
    assert.equal((await ask('PUT', `/${theirs}/seen`)).statusCode, 404);
  });

  it('tells the endpoints of the domain that mail came in (inbound.received), once', async () => {
    const receiver = await startWebhookEndpoint();
    await world.api.createWebhook(world.tenant, { url: receiver.url, events: ['inbound.received'] });
    const { id: routeId } = await world.createRoute('told@rich.test');
    const message =
      'From: Bob <bob@example.com>\r\nSubject: told\r\nMessage-ID: <t1@example.com>\r\n\r\nx\r\n';
    const { body } = await receive(world.api, 'told@rich.test', message);
    await receive(world.api, 'told@rich.test', message);

    const [told] = await receiver.waitFor(1);
    assert.ok(told);
    const { event, payload } = JSON.parse(told.raw.toString());
    assert.equal(event, 'inbound.received');
    const { created_at: createdAt, ...facts } = payload;
    assert.ok(Date.parse(createdAt));
    assert.deepEqual(facts, {
      id: body.ids[0],
      route_id: routeId,
      recipient: 'told@rich.test',
      from: 'Bob <bob@example.com>',
      subject: 'told',
      message_id: '<t1@example.com>',
      size: message.length,
      reply_to_id: null,
    });
    assert.equal(receiver.received.length, 1);
    await receiver.close();
  });

  it('keeps what comes at the same time: each its own content, twice the same once, nobody the unknown', async () => {
    await world.createRoute('crowd-*@rich.test');
    const arrivals = Array.from({ length: 12 }, (_, index) => `Subject: crowd ${index}\r\n\r\n${index}\r\n`);
    const results = await Promise.all([
      ...arrivals.map((text, index) => receive(world.api, `crowd-${index}@rich.test`, text)),
      receive(world.api, 'crowd-0@rich.test', arrivals[0] ?? ''),
      receive(world.api, 'nobody@rich.test', 'Subject: x\r\n\r\n'),
    ]);

    assert.deepEqual(
      results.map(({ status }) => status),
      [...Array(13).fill(200), 422],
    );
    const [first, again] = [results[0]?.body, results[12]?.body];
    assert.deepEqual([first.ids.length + again.ids.length, first.duplicates + again.duplicates], [1, 1]);
    for (const [index, { body }] of results.slice(1, 12).entries()) {
      const source = await world.api.app.inject({
        url: `/api/v1/inbound_messages/${body.ids[0]}/source`,
        headers: { 'mailpace-server-token': world.tenant.token },
      });
      assert.equal(source.body, arrivals[index + 1]);
    }
    const { rows } = await world.api.store.pool.query(
      'select from inbound_sources where not exists (select from inbound_messages where source_id = inbound_sources.id)',
    );
    assert.equal(rows.length, 0);
  });

  it('links a reply to the message it answers, on its timeline, once', async () => {
    await world.createRoute('reply@rich.test');
    const sent = await world.api.app.inject(sendRequest(world.tenant));
    const { id } = sent.json();
    const show = async () => (await world.call('GET', `/messages/${id}`)).body;
    const { message_id } = await show();
    const text = `From: b@example.com\r\nReferences: <x@y.example> ${message_id}\r\nSubject: Re\r\n\r\nYes\r\n`;
    const digest = hash('sha256', text);
    const { body } = await receive(world.api, 'reply@rich.test', text, { digest });
    await receive(world.api, 'reply@rich.test', text, { digest });
    assert.equal((await world.call('GET', `/inbound_messages/${body.ids[0]}`)).body.reply_to, id);
    const replies = (await show()).timeline.filter(({ event }: { event: string }) => event === 'replied');
    assert.deepEqual(
      replies.map(({ data }: { data: { inbound_message_id: number } }) => data.inbound_message_id),
      body.ids,
    );
  });

  it("does not link a reply to another tenant's message", async () => {
    const other = await world.api.createTenant({ domain: 'elsewhere.test' });
    const sent = (await world.api.app.inject(sendRequest(other))).json();
    const { body: theirs } = await world.call('GET', `/messages/${sent.id}`, undefined, other.token);
    const text = `From: b@example.com\r\nIn-Reply-To: ${theirs.message_id}\r\n\r\nYes\r\n`;
    const { body } = await receive(world.api, 'reply@rich.test', text);
    assert.equal((await world.call('GET', `/inbound_messages/${body.ids[0]}`)).body.reply_to, null);
  });
});
