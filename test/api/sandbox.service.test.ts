import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import { PLAY_SANDBOX } from '../../api/jobs/queues.ts';
import {
  createOperatorToken,
  findDomainCredential,
  findNotificationCredential,
} from '../../api/models/api-token.ts';
import { playSandbox } from '../../api/models/sandbox.ts';
import { createWebhook } from '../../api/models/webhook.ts';
import { findWebhookMessages } from '../../api/models/webhook-message.ts';
import {
  countRows,
  sendRequest,
  startTestApi,
  submissionRequest,
  type Tenant,
  type TestApi,
} from './support.ts';

/** Whoever reaches it has let mail of a sandbox out. */
const intake = {
  handOver: async () => {
    throw new Error('handed over to the mta');
  },
  close() {},
};

describe('sandbox tokens', () => {
  let api: TestApi;
  let tenant: Tenant;
  let token: string;

  before(async () => {
    api = await startTestApi('sandbox');
    tenant = await api.createTenant({ isVerified: false });
    token = (await createToken()).body.token;
  });
  after(() => api.close());

  async function createToken(
    path = `/domains/${tenant.domainId}/api_tokens`,
    headers: Record<string, string> = { 'mailpace-organization-token': tenant.organizationToken },
  ) {
    const payload = { api_token: { name: 'test', sandbox: true } };
    const response = await api.app.inject({ method: 'POST', url: `/api/v1${path}`, headers, payload });
    return { status: response.statusCode, body: response.json() };
  }

  async function accept(to: string, payload: object = {}): Promise<number> {
    const response = await api.app.inject(sendRequest({ ...tenant, token }, { to, ...payload }));
    assert.equal(response.statusCode, 200, response.body);
    return response.json().id;
  }

  const hand = (id: number) => handOver({ ...api, intake }, id);
  const play = (id: number, step: number) =>
    inTransaction(api.store, (tx) => playSandbox(tx, { messageId: id, step }));

  async function show(id: number) {
    const headers = { 'mailpace-server-token': token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  async function run(to: string, steps: number): Promise<number> {
    const id = await accept(to);
    assert.equal(await hand(id), 'played');
    for (let step = 0; step < steps; step++) await play(id, step);
    return id;
  }

  const events = async (id: number) => (await show(id)).timeline.map((one: { event: string }) => one.event);

  it('are made for a domain, and shown as what they are', async () => {
    const { status, body } = await createToken();

    assert.deepEqual([status, body.sandbox], [201, true]);
    const headers = { 'mailpace-organization-token': tenant.organizationToken };
    const url = `/api/v1/domains/${tenant.domainId}/api_tokens`;
    const listed = (await api.app.inject({ url, headers })).json();
    assert.deepEqual(
      listed.map((one: { sandbox: boolean }) => one.sandbox),
      [false, true, true],
    );
  });

  it('are not made for an organization', async () => {
    const operator = await createOperatorToken(api.store.pool, { name: 'ada' });
    const { status, body } = await createToken(`/organizations/${tenant.organizationId}/api_tokens`, {
      'postern-operator-token': operator.token,
    });
    assert.deepEqual([status, body], [422, { errors: { sandbox: ["is for a domain's token"] } }]);
  });

  it('send before the domain is verified; nothing else does', async () => {
    assert.equal((await show(await accept('b@example.com'))).sandbox, true);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 403);
  });

  for (const [recipient, status, expected] of [
    ['ann@example.com', 'delivered', ['accepted', 'delivered']],
    ['bounce+1@example.com', 'bounced', ['accepted', 'bounced']],
    ['bounce-later@example.com', 'bounced', ['accepted', 'delivered', 'bounced']],
    ['defer-once@example.com', 'delivered', ['accepted', 'deferred', 'delivered']],
    ['defer@example.com', 'expired', ['accepted', 'deferred', 'deferred', 'expired']],
    ['complain@example.com', 'delivered', ['accepted', 'delivered', 'complained']],
    ['unsubscribe@example.com', 'delivered', ['accepted', 'delivered', 'unsubscribed']],
    ['spam@example.com', 'spam', ['accepted', 'spam']],
    ['suppress@example.com', 'suppressed', ['accepted', 'suppressed']],
  ] as const) {
    it(`play ${recipient}: ${expected.slice(1).join(', ')}`, async () => {
      const id = await run(recipient, 4);

      assert.equal((await show(id)).status, status);
      assert.deepEqual(await events(id), expected);
    });
  }

  it('play each recipient of a message by itself, and a step that runs twice once', async () => {
    const id = await run('ann@example.com, bounce@example.com', 1);
    await play(id, 0);

    const { recipients } = await show(id);
    assert.deepEqual(
      recipients.map((one: { status: string }) => one.status),
      ['delivered', 'bounced'],
    );
    assert.deepEqual(await events(id), ['accepted', 'delivered', 'bounced']);
  });

  it('leave the next step to a job, in the transaction of the one before', async () => {
    const id = await run('defer-once@example.com', 1);

    const { rows } = await api.store.pool.query(
      `select (data->>'step')::integer as step, start_after > now() as later
         from pgboss.job where name = $1 and data->>'messageId' = $2 order by 1`,
      [PLAY_SANDBOX, String(id)],
    );
    assert.deepEqual(rows, [
      { step: 0, later: false },
      { step: 1, later: true },
    ]);
  });

  it('play what comes over SMTP, too', async () => {
    const { body } = await createToken();
    const message = `From: a@${tenant.domain}\r\nTo: bounce@example.com\r\nSubject: x\r\n\r\nHello\r\n`;
    const response = await api.app.inject(
      submissionRequest(api, { ...tenant, tokenId: body.id }, message, {
        envelope: { from: `a@${tenant.domain}`, to: ['bounce@example.com'] },
      }),
    );
    const id = response.json().messageId;

    assert.equal(await hand(id), 'played');
    await play(id, 0);
    assert.deepEqual(await events(id), ['accepted', 'bounced']);
  });

  it('change no block list', async () => {
    const before = await countRows(api, 'suppressions');
    await run('bounce@example.com', 2);
    await run('complain@example.com', 2);
    assert.equal(await countRows(api, 'suppressions'), before);
  });

  it('can be cancelled between two steps, and then no step follows', async () => {
    const id = await run('defer@example.com', 1);
    await api.store.pool.query("update pgboss.job set state = 'completed' where data->>'messageId' = $1", [
      String(id),
    ]);
    const headers = { 'mailpace-server-token': token };
    const url = `/api/v1/messages/${id}/cancellation`;
    const { statusCode } = await api.app.inject({ method: 'POST', url, headers });
    await play(id, 1);

    assert.equal(statusCode, 200);
    assert.deepEqual(await events(id), ['accepted', 'deferred', 'cancelled']);
  });

  it('tell webhooks, which can see that it was a sandbox', async () => {
    const endpoint = {
      url: 'https://x.example',
      events: ['email.bounced' as const],
      description: '',
      notify: null,
    };
    const options = { maxCount: 1, masterKey: api.settings.secrets.key };
    await inTransaction(api.store, (tx) => createWebhook(tx, tenant.domainId, endpoint, options));
    const id = await run('bounce@example.com', 1);

    const { rows } = await api.store.pool.query(
      "select event, data->>'bounce_class' as class from webhook_deliveries where message_id = $1",
      [id],
    );
    assert.deepEqual(rows, [{ event: 'email.bounced', class: 'recipient-unknown' }]);
    assert.equal((await findWebhookMessages(api.store.pool, [id])).get(id)?.isSandbox, true);
  });

  it('are never the ones that mail of Postern itself is sent with', async () => {
    const other = await api.createTenant();
    await api.store.pool.query('update api_tokens set revoked_at = now() where id = $1', [other.tokenId]);
    const url = `/domains/${other.domainId}/api_tokens`;
    await createToken(url, { 'mailpace-organization-token': other.organizationToken });

    assert.equal(await findNotificationCredential(api.store.pool, other.domain), undefined);
    const credential = await findDomainCredential(api.store.pool, { tokenId: other.tokenId });
    assert.equal(credential, undefined);
  });
});
