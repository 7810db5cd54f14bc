/** What the endpoint of an inbound route is sent, how often, and who is told when it does not take it. */
import assert from 'node:assert/strict';
import { createHash, hash } from 'node:crypto';
import { INBOUND_RETRY_DELAYS_SECONDS } from '../../../api/inbound/deliver.ts';
import { bounceInbound } from '../../../api/jobs/bounce-inbound.ts';
import { startWebhookEndpoint, type WebhookEndpoint } from '../../support/webhook-endpoint.ts';
import { log } from '../support.ts';
import { AUTHENTICATION, type InboundWorld, receive, startInboundApi } from './support.ts';

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

describe('the endpoint of an inbound route', () => {
  let world: InboundWorld;
  let endpoint: WebhookEndpoint;

  before(async () => {
    world = await startInboundApi('inbound_endpoint');
    endpoint = await startWebhookEndpoint();
  });
  after(async () => {
    await world.close();
    await endpoint.close();
  });

  it('posts every field of the contract, signed, with raw byte for byte and basic auth', async () => {
    const url = `${endpoint.url.replace('//', '//actionmailbox:s%3Acret@')}/rails/action_mailbox/mailpace/inbound_emails`;
    const route = await world.createRoute('*@in.rich.test', { target: 'http', url });
    assert.deepEqual([route.basic_auth, route.url.includes('cret')], [true, false]);
    assert.match(route.secret, /^whsec_/);
    const { body } = await receive(world.api, 'ann@in.rich.test', RICH);
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
    await world.reaches(body.ids[0], 'delivered');
  });

  it('tries five times, at growing intervals, and then has failed', async () => {
    await world.createRoute('fails@rich.test', { target: 'http', url: `${endpoint.url}/fails` });
    endpoint.answer = () => ({ status: 500, body: 'no' });
    const { body } = await receive(world.api, 'fails@rich.test', 'From: a@b.example\r\n\r\nx\r\n');
    const attempts = () => endpoint.received.filter(({ path }) => path === '/fails').length;
    for (let attempt = 1; attempt <= INBOUND_RETRY_DELAYS_SECONDS.length; attempt++) {
      await concluded(body.ids[0], attempt);
      const message = await world.reaches(body.ids[0], attempt === 5 ? 'failed' : 'retrying');
      assert.equal(message.reason, '500 no');
      await world.api.store.pool.query(
        'update webhook_deliveries set next_attempt_at = now() where claim is null',
      );
    }
    assert.equal(attempts(), 5);
    const { rows } = await world.api.store.pool.query(
      "select data from pgboss.job where name = 'bounce-inbound'",
    );
    assert.deepEqual(rows, [{ data: { inboundMessageId: body.ids[0] } }]);
    endpoint.answer = () => ({ status: 200 });
  });

  it('tells a sender whose domain is proved that its mail failed, once, and nobody else (AD-6, AD-7)', async () => {
    await world.createRoute('bounce@rich.test', { target: 'http', url: `${endpoint.url}/bounce` });
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
      const { body } = await receive(world.api, 'bounce@rich.test', text, changes);
      bounced.push(body.ids[0]);
    }
    for (const id of [...bounced, ...bounced]) {
      await bounceInbound({ store: world.api.store, settings: world.api.settings, log }, id);
    }
    const { rows } = await world.api.store.pool.query<{
      content: Buffer;
      envelope_from: string;
      address: string;
    }>(
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

  async function concluded(id: number, attempts: number) {
    for (let waited = 0; waited < 500; waited++) {
      const { rowCount } = await world.api.store.pool.query(
        'select from webhook_deliveries where inbound_message_id = $1 and attempts = $2 and claim is null',
        [id, attempts],
      );
      if (rowCount === 1) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`attempt ${attempts} did not come to an end`);
  }
});
