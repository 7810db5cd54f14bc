import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { reapSuppressions } from '../../api/models/suppression.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { deliveryEvent } from '../support/delivery-event.ts';
import { countRows, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const BLOCKED = 'contains a blocked address';

interface Row {
  id: number;
  address: string;
  list: string;
  domain: string | null;
  reason: string;
  stream: string;
  note: string | null;
  expires_at: string | null;
  message_id: number | null;
}

describe('suppressions', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('suppressions');
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
    api.invalidated.length = 0;
  });
  after(() => api.close());

  const asOrganization = () => ({ 'mailpace-organization-token': tenant.organizationToken });
  const asDomain = (of = tenant) => ({ 'mailpace-server-token': of.token });

  async function call(options: InjectOptions, headers: Record<string, string> = asOrganization()) {
    const response = await api.app.inject({ ...options, headers: { ...headers, ...options.headers } });
    return { status: response.statusCode, body: response.json() };
  }

  async function add(payload: object, headers?: Record<string, string>): Promise<Row> {
    const { status, body } = await call({ method: 'POST', url: '/api/v1/suppressions', payload }, headers);
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  }

  async function list(query = '', headers?: Record<string, string>): Promise<Row[]> {
    const { status, body } = await call({ url: `/api/v1/suppressions${query}` }, headers);
    assert.equal(status, 200, JSON.stringify(body));
    return body.suppressions;
  }

  async function send(payload: object) {
    const response = await api.app.inject(sendRequest(tenant, payload));
    return { status: response.statusCode, body: response.json() };
  }

  async function report(messageId: number, recipient: string, reply: string, type: DeliveryEvent['type']) {
    const code = Number(reply.slice(0, 3));
    const event = deliveryEvent({ messageId, recipient, type, response: reply, code });
    const { status } = await call(
      { method: 'POST', url: '/rpc/v1/delivery_events', payload: { events: [event] } },
      { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
    );
    assert.equal(status, 200);
  }

  async function find(address: string, domain = tenant.domain) {
    const { body } = await call(
      { url: `/rpc/v1/suppressions/${encodeURIComponent(address)}?domain=${domain}` },
      { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
    );
    return body;
  }

  describe('the block list', () => {
    for (const field of ['to', 'cc', 'bcc']) {
      it(`refuses a blocked address in ${field}, whatever its case, and takes nothing`, async () => {
        await add({ address: 'Gone@Example.com', domain: tenant.domain });
        const before = await countRows(api, 'messages');

        assert.deepEqual(await send({ [field]: 'ok@example.com, gONE@example.com' }), {
          status: 400,
          body: { errors: { [field]: [BLOCKED] } },
        });
        assert.equal(await countRows(api, 'messages'), before);
      });
    }

    it('holds for the domain alone, or for all of the organization', async () => {
      const other = await api.createTenant();
      await add({ address: 'one@example.com', domain: tenant.domain });
      await add({ address: 'all@example.com' });

      assert.equal((await api.app.inject(sendRequest(other, { to: 'one@example.com' }))).statusCode, 200);
      assert.equal((await send({ to: 'one@example.com' })).status, 400);
      assert.equal((await send({ to: 'all@example.com' })).status, 400);
    });

    it('lets the allow list win', async () => {
      await add({ address: 'gone@example.com' });
      await add({ address: 'gone@example.com', list: 'allow' });

      assert.equal((await send({ to: 'gone@example.com' })).status, 200);
      assert.deepEqual(await find('gone@example.com'), {
        isAllowed: true,
        blocks: [{ stream: 'all', reason: 'manual' }],
      });
    });

    it('looks at the stream', async () => {
      await add({ address: 'bulk@example.com', stream: 'bulk', reason: 'unsubscribed' });

      assert.equal((await send({ to: 'bulk@example.com' })).status, 200);
      assert.equal((await send({ to: 'bulk@example.com', stream: 'bulk' })).status, 400);
      assert.deepEqual((await find('bulk@example.com')).blocks, [{ stream: 'bulk', reason: 'unsubscribed' }]);
    });

    it('forgets what has expired, and removes it', async () => {
      const { id } = await add({ address: 'soon@example.com', expires_at: '2100-01-01T00:00:00Z' });
      assert.equal((await send({ to: 'soon@example.com' })).status, 400);
      await api.store.pool.query('update suppressions set expires_at = now() where id = $1', [id]);

      assert.equal((await send({ to: 'soon@example.com' })).status, 200);
      assert.deepEqual((await find('soon@example.com')).blocks, []);
      assert.equal(await reapSuppressions(api.store.pool), 1);
    });
  });

  describe('bounces', () => {
    async function bounce(recipient: string, reply: string, type: DeliveryEvent['type'] = 'bounced') {
      const { body } = await send({ to: recipient });
      await report(body.id, recipient, reply, type);
      return body.id as number;
    }

    it('put the address on the list of the domain, with the message and the reply', async () => {
      const id = await bounce('Nobody@example.com', '550 5.1.1 No such user');

      const [row] = await list();
      assert.deepEqual(
        [row?.address, row?.domain, row?.reason, row?.stream, row?.message_id, row?.note],
        ['nobody@example.com', tenant.domain, 'bounced', 'all', id, '550 5.1.1 No such user'],
      );
      assert.deepEqual((await send({ to: 'nobody@example.com' })).body, { errors: { to: [BLOCKED] } });
      assert.deepEqual(api.invalidated, [
        `findSuppression {"address":"nobody@example.com","domain":"${tenant.domain}"}`,
      ]);
    });

    it('do not, where the address is on the allow list', async () => {
      await add({ address: 'vip@example.com', list: 'allow', domain: tenant.domain });
      await bounce('vip@example.com', '550 5.1.1 No such user');
      assert.deepEqual(await list('?list=block'), []);
    });

    it('do not, where the address is not at fault', async () => {
      await bounce('a@example.com', '550 5.7.1 Message refused as spam');
      await bounce('b@example.com', '552 5.2.2 Mailbox full');
      await bounce('c@example.com', '450 4.1.1 No such user yet', 'deferred');
      assert.deepEqual(await list(), []);
    });

    it('change nothing about an entry that is there, but make one that passes sooner last longer', async () => {
      const first = await send({ to: 'x@example.com' });
      const second = await send({ to: 'y@example.com' });
      await add({ address: 'x@example.com', domain: tenant.domain, note: 'asked by telephone' });
      const soon = new Date(Date.now() + 86_400_000).toISOString();
      await add({ address: 'y@example.com', domain: tenant.domain, expires_at: soon });
      await report(first.body.id, 'x@example.com', '550 5.1.1 No such user', 'bounced');
      await report(second.body.id, 'y@example.com', '550 5.1.1 No such user', 'bounced');

      const [y, x] = await list();
      assert.deepEqual([x?.reason, x?.note], ['manual', 'asked by telephone']);
      assert.equal(y?.reason, 'bounced');
      assert.ok((y?.expires_at ?? '') > new Date(Date.now() + 364 * 86_400_000).toISOString());
    });
  });

  describe('the API', () => {
    it('makes an entry say something else when it is added again', async () => {
      const first = await add({ address: 'a@example.com' });
      const second = await add({ address: 'A@example.com', reason: 'complained', note: 'called us' });
      assert.equal(second.id, first.id);
      assert.deepEqual(
        [second.reason, second.note, second.address],
        ['complained', 'called us', 'a@example.com'],
      );
    });

    it('pages through filtered lists, newest first', async () => {
      for (let number = 1; number <= 5; number++) await add({ address: `u${number}@example.com` });
      await add({ address: 'ok@example.com', list: 'allow' });
      const seen: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const { body } = await call({
          url: `/api/v1/suppressions?list=block&limit=2${cursor && `&cursor=${cursor}`}`,
        });
        seen.push(...body.suppressions.map((row: Row) => row.address.slice(0, 2)));
        cursor = body.next_cursor;
      }
      assert.deepEqual(seen, ['u5', 'u4', 'u3', 'u2', 'u1']);
      assert.equal((await list('?address=OK@example.com')).length, 1);
      assert.equal((await list('?reason=bounced')).length, 0);
    });

    it('shows and deletes one, and the services hear of it', async () => {
      const { id } = await add({ address: 'a@example.com' });
      const url = `/api/v1/suppressions/${id}`;
      assert.equal((await call({ url })).body.address, 'a@example.com');
      api.invalidated.length = 0;

      assert.deepEqual(await call({ method: 'DELETE', url }), {
        status: 200,
        body: { message: 'Suppression deleted' },
      });
      assert.deepEqual(await call({ method: 'DELETE', url }), { status: 404, body: { error: 'Not found' } });
      assert.equal((await send({ to: 'a@example.com' })).status, 200);
      assert.equal(api.invalidated.length, 1);
    });

    it('writes changes to the audit log', async () => {
      const { id } = await add({ address: 'a@example.com' });
      await call({ method: 'DELETE', url: `/api/v1/suppressions/${id}` });
      const { rows } = await api.store.pool.query(
        'select action, subject from audit_entries where organization_id = $1 order by id',
        [tenant.organizationId],
      );
      assert.deepEqual(rows, [
        { action: 'suppression.added', subject: 'a@example.com' },
        { action: 'suppression.removed', subject: 'a@example.com' },
      ]);
    });

    it("shows a domain's token what is its domain's, and puts what it adds there", async () => {
      await add({ address: 'all@example.com' });
      const own = await add({ address: 'own@example.com' }, asDomain());
      assert.equal(own.domain, tenant.domain);
      assert.deepEqual(
        (await list('', asDomain())).map(({ address }) => address),
        ['own@example.com'],
      );
    });

    it("AU-9 hides another organization's entries and domains", async () => {
      const other = await api.createTenant();
      const { id } = await add({ address: 'a@example.com' });
      const url = `/api/v1/suppressions/${id}`;
      const asOther = { 'mailpace-organization-token': other.organizationToken };
      const missing = await call({ url: '/api/v1/suppressions/999999' }, asOther);

      for (const headers of [asOther, asDomain(other)]) {
        assert.deepEqual(await call({ url }, headers), missing);
        assert.deepEqual(await call({ method: 'DELETE', url }, headers), missing);
        assert.deepEqual(await list('', headers), []);
      }
      const foreign = { errors: { domain: ['is not a domain of this token'] } };
      const payload = { address: 'b@example.com', domain: tenant.domain };
      assert.deepEqual(await call({ method: 'POST', url: '/api/v1/suppressions', payload }, asOther), {
        status: 422,
        body: foreign,
      });
    });

    for (const [what, payload, errors] of [
      ['no address', {}, { address: ['undefined field'] }],
      ['what is no address', { address: 'nobody' }, { address: ['is invalid'] }],
      [
        'an end in the past',
        { address: 'a@b.example', expires_at: '2001-01-01T00:00:00Z' },
        { expires_at: ['is in the past'] },
      ],
    ] as const) {
      it(`refuses ${what}`, async () => {
        const answer = await call({ method: 'POST', url: '/api/v1/suppressions', payload });
        assert.deepEqual(answer, { status: 422, body: { errors } });
      });
    }

    for (const query of [
      'limit=0',
      'limit=201',
      'limit=1e9',
      'cursor=x',
      "cursor=' or 1=1--",
      'list=x',
      'stream=x',
    ]) {
      it(`AP-3 refuses ?${query}`, async () => {
        assert.equal((await call({ url: `/api/v1/suppressions?${encodeURI(query)}` })).status, 422);
      });
    }
  });
});
