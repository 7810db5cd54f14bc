/** From the inbound server to the customer: who gets an address, what is kept, and what an endpoint is sent. */
import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { inTransaction } from '../../../api/database.ts';
import { INBOUND_RETRY_DELAYS_SECONDS } from '../../../api/inbound/deliver.ts';
import { bounceInbound } from '../../../api/jobs/bounce-inbound.ts';
import { purgeInboundMessages } from '../../../api/models/inbound-message.ts';
import type { Dispatcher } from '../../../api/webhooks/dispatcher.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { log, sendRequest, type Tenant } from '../support.ts';
import { startWebhookApi, type WebhookApi } from '../webhooks/support.ts';
import { AUTHENTICATION, receive } from './support.ts';

const RICH = [
  'Received: from mx.example.com by us',
  'From: "Bob B." <bob@example.com>',
  'To: Ann <ann@in.rich.test>, c@example.org',
  'Cc: d@example.org',
  'Bcc: e@example.org',
  'Reply-To: Bob <r@example.com>',
  'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
  'Message-ID: <m1@example.com>',
  'In-Reply-To: <p1@example.com>',
  'X-Folded: one',
  ' two',
  'MIME-Version: 1.0',
  'Content-Type: multipart/related; boundary=b',
  '',
  '--b',
  'Content-Type: multipart/alternative; boundary=a',
  '',
  '--a',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'Hello ü',
  '--a',
  'Content-Type: text/html',
  '',
  '<p>Hello <img src="cid:img"></p>',
  '--a--',
  '--b',
  'Content-Type: image/png; name=a.png',
  'Content-Disposition: inline; filename=a.png',
  'Content-ID: <img>',
  'Content-Transfer-Encoding: base64',
  '',
  'iVBORw0KGgo=',
  '--b--',
  '',
].join('\r\n');

describe('mail that comes in', () => {
  let api: WebhookApi;
  let tenant: Tenant;
  let endpoint: WebhookEndpoint;
  let dispatcher: Dispatcher;

  before(async () => {
    api = await startWebhookApi('inbound');
    tenant = await api.createTenant({ domain: 'rich.test' });
    endpoint = await startWebhookEndpoint();
    dispatcher = api.startDispatcher();
  });
  after(async () => {
    await dispatcher.close();
    await endpoint.close();
    await api.close();
  });

  async function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    payload?: object,
    token = tenant.token,
  ) {
    const headers = { 'mailpace-server-token': token };
    const request = { method, url: `/api/v1${path}`, headers, ...(payload && { payload }) };
    const response = await api.app.inject(request);
    return { status: response.statusCode, body: response.json() };
  }

  async function lookUp(address: string) {
    const { serviceToken } = api.settings.secrets;
    const headers = { authorization: `Bearer ${serviceToken}` };
    const url = `/rpc/v1/recipients/${encodeURIComponent(address)}`;
    const response = await api.app.inject({ url, headers });
    return response.statusCode === 404 ? undefined : response.json();
  }

  async function createRoute(address: string, changes: object = {}) {
    const { status, body } = await call('POST', '/inbound_routes', { address, target: 'store', ...changes });
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  }

  it('knows the addresses of routes, postmaster and abuse, and its own; nobody else (AD-5)', async () => {
    const { id } = await createRoute('ann@rich.test', { dmarc: 'mark', spam_refuse_score: 7 });
    const { domainId, domain } = tenant;
    const found = { kind: 'route', routeId: id, domainId, domain, dmarc: 'mark', spamRefuseScore: 7 };
    assert.deepEqual(await lookUp('ann@rich.test'), found);
    assert.deepEqual(await lookUp('ann+tag@rich.test'), found);
    for (const [address, purpose] of [
      ['postmaster@rich.test', 'postmaster'],
      ['abuse@rich.test', 'abuse'],
      [`fbl@${api.settings.mta.returnPathDomain}`, 'feedback'],
      [`tls-reports@${api.settings.mta.returnPathDomain}`, 'tls_report'],
      [`dmarc-reports+x@${api.settings.mta.returnPathDomain}`, 'dmarc_report'],
    ] as const) {
      assert.deepEqual(await lookUp(address), { kind: 'system', purpose }, address);
    }
    for (const address of ['bob@rich.test', 'ann@other.test', 'postmaster@other.test', 'fbl@rich.test']) {
      assert.equal(await lookUp(address), undefined, address);
    }
  });

  it('forgets a route that is deleted, in every cache, and refuses its mail (422)', async () => {
    const { id } = await createRoute('gone@rich.test');
    api.invalidated.length = 0;
    assert.equal((await call('DELETE', `/inbound_routes/${id}`)).status, 200);
    assert.ok(api.invalidated.includes('findInboundRecipient {"address":"gone@rich.test"}'));
    const { status, body } = await receive(api, 'gone@rich.test', 'From: a@b.example\r\n\r\nx\r\n');
    assert.deepEqual([status, body.error.code], [422, 'recipients_unknown']);
  });

  it('gives no mail to a domain that nobody has verified, nor to one above a tenant of its own', async () => {
    const unverified = await api.createTenant({ domain: 'unverified.test', isVerified: false });
    const body = { address: '*@unverified.test', target: 'store' };
    assert.equal((await call('POST', '/inbound_routes', body, unverified.token)).status, 201);
    assert.equal(await lookUp('x@unverified.test'), undefined);

    await createRoute('*@sub.rich.test');
    await api.createTenant({ domain: 'sub.rich.test' });
    assert.equal(await lookUp('x@sub.rich.test'), undefined);
    const foreign = await call('POST', '/inbound_routes', { address: 'y@sub.rich.test', target: 'store' });
    assert.deepEqual(Object.keys(foreign.body.errors), ['address']);
  });

  for (const [name, changes, field] of [
    ['another domain', { address: 'a@example.com' }, 'address'],
    ['no address', { address: 'rich.test' }, 'address'],
    ['a pattern of stars', { address: 'a*b*c*d*e*f*g@rich.test' }, 'address'],
    ['the same address', { address: 'ann@rich.test' }, 'address'],
    ['an URL of storage', { address: 'u@rich.test', url: 'https://example.com/' }, 'url'],
    ['no URL', { address: 'u@rich.test', target: 'http' }, 'url'],
    ['a private address', { address: 'u@rich.test', target: 'http', url: 'https://10.0.0.1/' }, 'url'],
    ['a user alone', { address: 'u@rich.test', target: 'http', url: 'https://me@127.0.0.1:9999/' }, 'url'],
  ] as const) {
    it(`refuses a route with ${name}`, async () => {
      const { status, body } = await call('POST', '/inbound_routes', { target: 'store', ...changes });
      assert.deepEqual([status, Object.keys(body.errors)], [422, [field]]);
    });
  }

  it('keeps a message once, however often it comes, and shows it byte for byte', async () => {
    await createRoute('kept@rich.test');
    const content = Buffer.from('From: a@b.example\r\nSubject: x\r\n\r\n\xff\x00 latin\r\n', 'latin1');
    const first = await receive(api, 'kept@rich.test', content);
    const second = await receive(api, 'kept@rich.test', content);
    assert.deepEqual([first.body.ids.length, second.body], [1, { ids: [], duplicates: 1 }]);
    const [id] = first.body.ids;
    const shown = await call('GET', `/inbound_messages/${id}`);
    assert.deepEqual([shown.body.status, shown.body.spf], ['stored', AUTHENTICATION.spf]);
    const source = await api.app.inject({
      url: `/api/v1/inbound_messages/${id}/source`,
      headers: { 'mailpace-server-token': tenant.token },
    });
    assert.deepEqual(source.rawPayload, content);
  });

  it('lists page by page, newest first', async () => {
    const { id } = await createRoute('many@rich.test');
    for (const text of ['1', '2', '3']) await receive(api, 'many@rich.test', `Subject: ${text}\r\n\r\n`);
    const subjects: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await call(
        'GET',
        `/inbound_messages?route_id=${id}&limit=2${cursor && `&cursor=${cursor}`}`,
      );
      subjects.push(...page.body.inbound_messages.map(({ subject }: { subject: string }) => subject));
      cursor = page.body.next_cursor;
    }
    assert.deepEqual(subjects, ['3', '2', '1']);
  });

  it('purges what is over the retention, and its source with the last recipient', async () => {
    const { id: routeId } = await createRoute('old@rich.test');
    const to = ['old@rich.test', 'old+2@rich.test'].map((address) => ({ address, routeId }));
    const envelope = { from: 'bob@example.com', to };
    const { body } = await receive(api, 'old@rich.test', 'Subject: old\r\n\r\n', { envelope });
    const [first, second] = body.ids;
    const sources = async () => {
      const { rows } = await api.store.pool.query(
        `select from inbound_sources where content = 'Subject: old\\015\\012\\015\\012'`,
      );
      return rows.length;
    };
    for (const [id, left] of [
      [first, 1],
      [second, 0],
    ]) {
      const age = "update inbound_messages set updated_at = now() - interval '400 days' where id = $1";
      await api.store.pool.query(age, [id]);
      assert.equal(await inTransaction(api.store, (tx) => purgeInboundMessages(tx, 10)), 1);
      assert.deepEqual([(await call('GET', `/inbound_messages/${id}`)).status, await sources()], [404, left]);
    }
  });

  it('tells operators alone what came for postmaster', async () => {
    const { body } = await receive(api, 'postmaster@rich.test', 'Subject: help\r\n\r\n');
    assert.equal((await call('GET', `/inbound_messages/${body.ids[0]}`)).status, 404);
  });

  it('tells the endpoints of the domain that mail came in (inbound.received), once', async () => {
    const receiver = await startWebhookEndpoint();
    await api.createWebhook(tenant, { url: receiver.url, events: ['inbound.received'] });
    const { id: routeId } = await createRoute('told@rich.test');
    const message =
      'From: Bob <bob@example.com>\r\nSubject: told\r\nMessage-ID: <t1@example.com>\r\n\r\nx\r\n';
    const { body } = await receive(api, 'told@rich.test', message);
    await receive(api, 'told@rich.test', message);

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

  it('posts every field of the contract, signed, with raw byte for byte and basic auth', async () => {
    const url = `${endpoint.url.replace('//', '//actionmailbox:s%3Acret@')}/rails/action_mailbox/mailpace/inbound_emails`;
    const route = await createRoute('*@in.rich.test', { target: 'http', url });
    assert.deepEqual([route.basic_auth, route.url.includes('cret')], [true, false]);
    assert.match(route.secret, /^whsec_/);
    const { body } = await receive(api, 'ann@in.rich.test', RICH);
    const [got] = await endpoint.waitFor(1);
    assert.ok(got);
    const png = Buffer.from('iVBORw0KGgo=', 'base64');
    assert.deepEqual(JSON.parse(got.raw.toString()), {
      from: '"Bob B." <bob@example.com>',
      headers: [
        'Received: from mx.example.com by us',
        'From: "Bob B." <bob@example.com>',
        'To: Ann <ann@in.rich.test>, c@example.org',
        'Cc: d@example.org',
        'Bcc: e@example.org',
        'Reply-To: Bob <r@example.com>',
        'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=',
        'Message-ID: <m1@example.com>',
        'In-Reply-To: <p1@example.com>',
        'X-Folded: one two',
        'MIME-Version: 1.0',
        'Content-Type: multipart/related; boundary=b',
      ],
      messageId: '<m1@example.com>',
      raw: RICH,
      to: '"Ann" <ann@in.rich.test>, c@example.org',
      subject: 'Grüße',
      cc: 'd@example.org',
      bcc: 'e@example.org',
      inReplyTo: '<p1@example.com>',
      replyTo: '"Bob" <r@example.com>',
      html: '<p>Hello <img src="cid:img"></p>',
      text: 'Hello ü',
      attachments: [
        {
          content: png.toString('base64'),
          type: 'attachment',
          contentType: 'image/png',
          contentDisposition: 'inline',
          headers: [
            'content-type: image/png; name="a.png"',
            'content-disposition: inline; filename="a.png"',
            'content-id: <img>',
            'content-transfer-encoding: base64',
          ],
          checksum: createHash('md5').update(png).digest('hex'),
          size: 8,
          filename: 'a.png',
          contentId: '<img>',
          cid: 'img',
          related: true,
        },
      ],
      id: body.ids[0],
      envelope: { from: 'bob@example.com', to: 'ann@in.rich.test' },
      client: { ip: '192.0.2.1', helo: 'mx.example.com', host: 'mx.example.com' },
      spf: AUTHENTICATION.spf,
      dkim: AUTHENTICATION.dkim,
      dmarc: AUTHENTICATION.dmarc,
      spam: { score: 1.5, action: 'no action', symbols: [{ name: 'X', score: 1.5 }] },
    });
    const basic = `Basic ${Buffer.from('actionmailbox:s:cret').toString('base64')}`;
    assert.equal(got.headers.authorization, basic);
    assert.equal(String(got.headers['x-mailpace-signature']).length, 88);
    await reaches(body.ids[0], 'delivered');
  });

  it('tries five times, at growing intervals, and then has failed', async () => {
    await createRoute('fails@rich.test', { target: 'http', url: `${endpoint.url}/fails` });
    endpoint.answer = () => ({ status: 500, body: 'no' });
    const { body } = await receive(api, 'fails@rich.test', 'From: a@b.example\r\n\r\nx\r\n');
    const attempts = () => endpoint.received.filter(({ path }) => path === '/fails').length;
    for (let attempt = 1; attempt <= INBOUND_RETRY_DELAYS_SECONDS.length; attempt++) {
      await concluded(body.ids[0], attempt);
      const message = await reaches(body.ids[0], attempt === 5 ? 'failed' : 'retrying');
      assert.equal(message.reason, '500 no');
      await api.store.pool.query('update webhook_deliveries set next_attempt_at = now() where claim is null');
    }
    assert.equal(attempts(), 5);
    const { rows } = await api.store.pool.query("select data from pgboss.job where name = 'bounce-inbound'");
    assert.deepEqual(rows, [{ data: { inboundMessageId: body.ids[0] } }]);
    endpoint.answer = () => ({ status: 200 });
  });

  it('tells a sender whose domain is proved that its mail failed, once, and nobody else (AD-6, AD-7)', async () => {
    await createRoute('bounce@rich.test', { target: 'http', url: `${endpoint.url}/bounce` });
    const failed = { result: 'fail', domain: 'example.com' };
    const unproved = { ...AUTHENTICATION, spf: failed, dkim: [] };
    const byHelo = { ...unproved, spf: { result: 'pass', domain: 'mx.attacker.example' } };
    const text = 'From: bob@example.com\r\nMessage-ID: <b1@example.com>\r\n\r\nsecret\r\n';
    const bounced: number[] = [];
    for (const [from, authentication] of [
      ['bob@example.com', AUTHENTICATION],
      ['bob@example.com', unproved],
      ['bob@example.com', byHelo],
      ['', AUTHENTICATION],
    ] as const) {
      const to = [{ address: 'bounce@rich.test', routeId: 1 }];
      const digest = hash('sha256', `${from}${JSON.stringify(authentication)}`);
      const changes = { envelope: { from, to }, authentication, digest };
      const { body } = await receive(api, 'bounce@rich.test', text, changes);
      bounced.push(body.ids[0]);
    }
    for (const id of [...bounced, ...bounced]) {
      await bounceInbound({ store: api.store, settings: api.settings, log }, id);
    }
    const { rows } = await api.store.pool.query<{ content: Buffer; envelope_from: string; address: string }>(
      `select source.content, message.envelope_from, recipient.address
         from messages message
         join message_sources source on source.message_id = message.id
         join recipients recipient on recipient.message_id = message.id
        where 'delivery-report' = any(message.tags)`,
    );
    assert.deepEqual(
      rows.map(({ envelope_from, address }) => [envelope_from, address]),
      [['', 'bob@example.com']],
    );
    const report = rows[0]?.content.toString() ?? '';
    assert.match(report, /^Final-Recipient: rfc822; bounce@rich\.test\r$/m);
    assert.match(report, /^Action: failed\r$/m);
    assert.doesNotMatch(report, /secret/);
  });

  it('links a reply to the message it answers, on its timeline, once', async () => {
    await createRoute('reply@rich.test');
    const sent = await api.app.inject(sendRequest(tenant));
    const { id } = sent.json();
    const show = async () => (await call('GET', `/messages/${id}`)).body;
    const { message_id } = await show();
    const text = `From: b@example.com\r\nReferences: <x@y.example> ${message_id}\r\nSubject: Re\r\n\r\nYes\r\n`;
    const digest = hash('sha256', text);
    const { body } = await receive(api, 'reply@rich.test', text, { digest });
    await receive(api, 'reply@rich.test', text, { digest });
    assert.equal((await call('GET', `/inbound_messages/${body.ids[0]}`)).body.reply_to, id);
    const replies = (await show()).timeline.filter(({ event }: { event: string }) => event === 'replied');
    assert.deepEqual(
      replies.map(({ data }: { data: { inbound_message_id: number } }) => data.inbound_message_id),
      body.ids,
    );
  });

  it("does not link a reply to another tenant's message", async () => {
    const other = await api.createTenant({ domain: 'elsewhere.test' });
    const sent = (await api.app.inject(sendRequest(other))).json();
    const { body: theirs } = await call('GET', `/messages/${sent.id}`, undefined, other.token);
    const text = `From: b@example.com\r\nIn-Reply-To: ${theirs.message_id}\r\n\r\nYes\r\n`;
    const { body } = await receive(api, 'reply@rich.test', text);
    assert.equal((await call('GET', `/inbound_messages/${body.ids[0]}`)).body.reply_to, null);
  });

  async function concluded(id: number, attempts: number) {
    for (let waited = 0; waited < 500; waited++) {
      const { rowCount } = await api.store.pool.query(
        'select from webhook_deliveries where inbound_message_id = $1 and attempts = $2 and claim is null',
        [id, attempts],
      );
      if (rowCount === 1) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`attempt ${attempts} did not come to an end`);
  }

  async function reaches(id: number, status: string) {
    for (let waited = 0; waited < 500; waited++) {
      const { body } = await call('GET', `/inbound_messages/${id}`);
      if (body.status === status) return body;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`message ${id} did not become ${status}`);
  }
});
