import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import type { Addressed } from '../../api/mail/intake.ts';
import { createWebhook } from '../../api/models/webhook.ts';
import { createUnsubscribeToken, unsubscribeKey } from '../../lib/unsubscribe.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const ONE_CLICK = 'List-Unsubscribe=One-Click';
const FORM = 'application/x-www-form-urlencoded';

describe('one-click unsubscribe (RFC 8058)', () => {
  let api: TestApi;
  let tenant: Tenant;
  const handedOver: Addressed[] = [];

  before(async () => {
    api = await startTestApi('unsubscribe');
    tenant = await api.createTenant();
  });
  beforeEach(() => {
    handedOver.length = 0;
  });
  after(() => api.close());

  async function send(payload: object = {}) {
    const response = await api.app.inject(sendRequest(tenant, { stream: 'bulk', ...payload }));
    return { status: response.statusCode, body: response.json() };
  }

  async function accept(payload: object = {}): Promise<number> {
    const { status, body } = await send(payload);
    assert.equal(status, 200, JSON.stringify(body));
    return body.id;
  }

  /** Whether the mta is told to put links in. */
  async function hasLink(payload: object): Promise<boolean | undefined> {
    const intake = {
      handOver: async (consignment: Addressed) => {
        handedOver.push(consignment);
        return { ok: true as const, refused: [] };
      },
      close() {},
    };
    await handOver({ ...api, intake }, await accept(payload));
    return handedOver.at(-1)?.hasUnsubscribeLink;
  }

  function linkOf(messageId: number, recipient: string, changes: object = {}): string {
    const { organizationId, domain } = tenant;
    const claim = { messageId, organizationId, domain, stream: 'bulk', recipient, ...changes };
    return `/unsubscribe/${createUnsubscribeToken(claim, unsubscribeKey(api.settings.secrets.key))}`;
  }

  function post(url: string, payload = ONE_CLICK, type = FORM) {
    return api.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  const events = async (id: number) => (await show(id)).timeline.map((one: { event: string }) => one.event);

  describe('the link', () => {
    for (const [payload, expected] of [
      [{}, true],
      [{ unsubscribe: false }, false],
      [{ stream: 'transactional' }, false],
      [{ stream: 'transactional', unsubscribe: true }, true],
      [{ list_unsubscribe: '<mailto:u@example.com>' }, false],
    ] as const) {
      it(`${expected ? 'is' : 'is not'} in bulk mail with ${JSON.stringify(payload)}`, async () => {
        assert.equal(await hasLink({ to: 'link@example.com', ...payload }), expected);
      });
    }

    it('cannot be asked for beside a List-Unsubscribe of your own, nor by another word', async () => {
      assert.deepEqual(await send({ unsubscribe: true, list_unsubscribe: '<mailto:u@example.com>' }), {
        status: 400,
        body: { errors: { unsubscribe: ['cannot be given with a List-Unsubscribe of your own'] } },
      });
      assert.deepEqual((await send({ unsubscribe: 'yes' })).body, {
        errors: { unsubscribe: ['is not true or false'] },
      });
    });
  });

  it('shows a button, and changes nothing by GET or HEAD (UN-1)', async () => {
    const recipient = 'scanned@example.com';
    const id = await accept({ to: recipient });
    const url = linkOf(id, recipient);
    const page = await api.app.inject({ url });

    assert.equal(page.statusCode, 200);
    assert.match(page.body, /<form method="post"><button name="List-Unsubscribe" value="One-Click">/);
    assert.match(page.body, /scanned@example\.com/);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    assert.equal((await api.app.inject({ method: 'HEAD', url })).statusCode, 404);
    assert.equal((await send({ to: recipient })).status, 200);
    assert.deepEqual(await events(id), ['accepted']);
  });

  for (const [what, payload, type] of [
    ['a form', ONE_CLICK, FORM],
    [
      'a form of several parts',
      `--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n`,
      'multipart/form-data; boundary=x',
    ],
  ] as const) {
    it(`blocks the stream by POST of ${what}, not the other stream (UN-1)`, async () => {
      const recipient = `${type.slice(0, 5)}@example.com`;
      const id = await accept({ to: `${recipient}, else@example.com` });
      assert.equal((await post(linkOf(id, recipient), payload, type)).statusCode, 200);

      assert.deepEqual((await send({ to: recipient })).body, {
        errors: { to: ['contains a blocked address'] },
      });
      assert.equal((await send({ to: recipient, stream: 'transactional' })).status, 200);
      assert.equal((await send({ to: 'else@example.com' })).status, 200);
      assert.deepEqual(await events(id), ['accepted', 'unsubscribed']);
      const { rows } = await api.store.pool.query(
        'select stream, reason, message_id, list from suppressions where address = $1',
        [recipient],
      );
      assert.deepEqual(rows, [{ stream: 'bulk', reason: 'unsubscribed', message_id: id, list: 'block' }]);
    });
  }

  it('is the same when it comes ten times (UN-2)', async () => {
    const recipient = 'ten@example.com';
    const id = await accept({ to: recipient });
    const before = await countRows(api, 'suppressions');
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(linkOf(id, recipient))));

    assert.deepEqual(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]));
    assert.equal(await countRows(api, 'suppressions'), before + 1);
    assert.deepEqual(await events(id), ['accepted', 'unsubscribed']);
  });

  it('holds against the allow list, which a bounce does not', async () => {
    const address = 'allowed@example.com';
    const id = await accept({ to: address });
    const headers = { 'mailpace-server-token': tenant.token };
    const payload = { address, list: 'allow' };
    await api.app.inject({ method: 'POST', url: '/api/v1/suppressions', headers, payload });
    assert.equal((await post(linkOf(id, address))).statusCode, 200);

    assert.equal((await send({ to: address })).status, 400);
    assert.equal((await send({ to: address, stream: 'transactional' })).status, 200);
  });

  it('works when the message is long purged', async () => {
    assert.equal((await post(linkOf(999_999_999, 'purged@example.com'))).statusCode, 200);
    assert.equal((await send({ to: 'purged@example.com' })).status, 400);
  });

  it('tells the webhooks', async () => {
    const endpoint = {
      url: 'https://hooks.example.com/x',
      events: ['email.unsubscribed' as const],
      description: '',
      notify: null,
    };
    const options = { maxCount: 1, masterKey: api.settings.secrets.key };
    await inTransaction(api.store, (tx) => createWebhook(tx, tenant.domainId, endpoint, options));
    const id = await accept({ to: 'hooked@example.com' });
    await post(linkOf(id, 'hooked@example.com'));

    const { rows } = await api.store.pool.query(
      "select event, data->>'recipient' as recipient from webhook_deliveries where message_id = $1",
      [id],
    );
    assert.deepEqual(rows, [{ event: 'email.unsubscribed', recipient: 'hooked@example.com' }]);
  });

  it('answers 404 for a token that is none of ours, and touches nothing (UN-2, AU-9)', async () => {
    const before = await countRows(api, 'suppressions');
    const good = linkOf(1, 'x@example.com');
    const foreign = createUnsubscribeToken(
      { messageId: 1, organizationId: 1, domain: tenant.domain, stream: 'bulk', recipient: 'x@example.com' },
      Buffer.alloc(32),
    );
    for (const url of [`${good}x`, good.replace('.', 'A.'), `/unsubscribe/${foreign}`, '/unsubscribe/1']) {
      assert.equal((await post(url)).statusCode, 404, url);
      assert.equal((await api.app.inject({ url })).statusCode, 404, url);
    }
    assert.equal(await countRows(api, 'suppressions'), before);
  });

  it('blocks nothing of another organization, whatever the domain is called', async () => {
    const other = await api.createTenant();
    await post(linkOf(1, 'cross@example.com', { domain: other.domain }));

    const request = sendRequest(other, { to: 'cross@example.com', stream: 'bulk' });
    assert.equal((await api.app.inject(request)).statusCode, 200);
  });

  it('refuses other bodies (UN-2)', async () => {
    const url = linkOf(1, 'y@example.com');
    assert.equal((await post(url, '')).statusCode, 400);
    assert.equal((await post(url, 'List-Unsubscribe=Other')).statusCode, 400);
    assert.equal((await post(url, `x=${'y'.repeat(5_000)}`)).statusCode, 413);
    assert.equal((await post(url, '{}', 'application/json')).statusCode, 406);
  });
});
