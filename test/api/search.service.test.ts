import assert from 'node:assert/strict';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

interface Page {
  messages: { id: number; status: string }[];
  next_cursor: string | null;
}

describe('the search through messages', () => {
  let api: TestApi;
  let tenant: Tenant;
  let foreign: Tenant;

  before(async () => {
    api = await startTestApi('search');
    tenant = await api.createTenant();
    foreign = await api.createTenant();
  });
  after(() => api.close());

  async function send(payload: object = {}, sender = tenant): Promise<number> {
    const response = await api.app.inject(sendRequest(sender, payload));
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ id: number }>().id;
  }

  function get(query: Record<string, string | string[]>, headers: object = {}) {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      for (const one of [value].flat()) search.append(key, one);
    }
    const asked = Object.keys(headers).length > 0 ? headers : { 'mailpace-server-token': tenant.token };
    return api.app.inject({ url: `/api/v1/messages?${search}`, headers: { ...asked } });
  }

  async function find(query: Record<string, string | string[]>, headers: object = {}): Promise<number[]> {
    const response = await get(query, headers);
    assert.equal(response.statusCode, 200, response.body);
    return response.json<Page>().messages.map(({ id }) => id);
  }

  describe('by what it is', () => {
    const ids: Record<string, number> = {};

    before(async () => {
      ids.plain = await send({ to: 'Ann.Lee@example.com', subject: 'Your invoice of May' });
      ids.tagged = await send({
        to: 'bo@example.com',
        tags: ['welcome', 'a, b'],
        subject: 'INVOICE überfällig',
      });
      ids.data = await send({
        to: 'c@example.com, ann.lee@example.com',
        metadata: { order: '4:2', env: 'live' },
      });
      ids.bulk = await send({ to: 'd@example.com', stream: 'bulk', subject: '請求書のお知らせ' });
      await send(
        { to: 'ann.lee@example.com', subject: 'invoice', tags: ['welcome'], metadata: { order: '4:2' } },
        foreign,
      );
    });

    for (const [query, expected] of [
      [{ recipient: 'ANN.lee@example.com' }, ['data', 'plain']],
      [{ recipient: 'ann.*' }, ['data', 'plain']],
      [{ recipient: 'a_n*' }, []],
      [{ recipient: 'ann%*' }, []],
      [{ recipient: 'ann' }, []],
      [{ subject: 'invoice' }, ['tagged', 'plain']],
      [{ subject: 'May INVOICE' }, ['plain']],
      [{ subject: 'ÜBERFÄLLIG' }, ['tagged']],
      [{ subject: '請求書' }, ['bulk']],
      [{ subject: 'invo' }, []],
      [{ tag: 'welcome' }, ['tagged']],
      [{ tag: ['a, b', 'welcome'] }, ['tagged']],
      [{ tag: ['other', 'welcome'] }, []],
      [{ metadata: 'order:4:2' }, ['data']],
      [{ metadata: ['order:4:2', 'env:live'] }, ['data']],
      [{ metadata: ['order:4:2', 'env:test'] }, []],
      [{ stream: 'bulk' }, ['bulk']],
      [{ stream: 'transactional' }, ['data', 'tagged', 'plain']],
      [{ status: 'queued', source: 'http' }, ['bulk', 'data', 'tagged', 'plain']],
      [{ status: 'delivered' }, []],
      [{ source: 'smtp' }, []],
      [{ recipient: 'ann.*', subject: 'invoice', status: 'queued' }, ['plain']],
      [{ recipient: 'bo@example.com', tag: 'welcome', subject: 'may' }, []],
      [{ since: '2020-01-01T00:00:00Z', until: '2020-01-02T00:00:00Z' }, []],
      [{ since: '2020-01-01T00:00:00Z', tag: 'welcome' }, ['tagged']],
      [{ recipient: '\0' }, []],
      [{ subject: 'x\0y' }, []],
      [{ tag: '\ud800' }, []],
    ] as [Record<string, string | string[]>, string[]][]) {
      it(`${JSON.stringify(query)} finds ${expected.join(', ') || 'nothing'}`, async () => {
        assert.deepEqual(
          await find(query),
          expected.map((name) => ids[name]),
        );
      });
    }

    it('by Message-ID, with its brackets or without', async () => {
      const { json } = await api.app.inject({
        url: `/api/v1/messages/${ids.plain}`,
        headers: { 'mailpace-server-token': tenant.token },
      });
      const { message_id: messageId } = json<{ message_id: string }>();

      assert.deepEqual(await find({ message_id: messageId }), [ids.plain]);
      assert.deepEqual(await find({ message_id: messageId.slice(1, -1) }), [ids.plain]);
    });

    it('by time, to the millisecond', async () => {
      const headers = { 'mailpace-server-token': tenant.token };
      const shown = await api.app.inject({ url: `/api/v1/messages/${ids.tagged}`, headers });
      const { created_at: at } = shown.json<{ created_at: string }>();
      const later = new Date(Date.parse(at) + 1).toISOString();

      assert.deepEqual(await find({ since: at, until: later }), [ids.tagged]);
      assert.deepEqual(await find({ until: at }), [ids.plain]);
      assert.deepEqual(await find({ since: later }), [ids.bulk, ids.data]);
    });

    it('by what became of it', async () => {
      const { pool } = api.store;
      await pool.query("update messages set state = 'bounced' where id = $1", [ids.data]);
      try {
        assert.deepEqual(await find({ status: 'bounced' }), [ids.data]);
        assert.deepEqual(await find({ status: 'bounced', recipient: 'ann.*' }), [ids.data]);
        assert.deepEqual(await find({ status: 'bounced', tag: 'welcome' }), []);
      } finally {
        await pool.query("update messages set state = 'queued' where id = $1", [ids.data]);
      }
    });

    it("shows an organization's token all of its domains, or one, and no other's (AU-9)", async () => {
      const headers = { 'mailpace-organization-token': tenant.organizationToken };
      const all = [ids.bulk, ids.data, ids.tagged, ids.plain];

      assert.deepEqual(await find({}, headers), all);
      assert.deepEqual(await find({ domain_id: String(tenant.domainId) }, headers), all);
      assert.deepEqual(await find({ domain_id: String(foreign.domainId) }, headers), []);
      assert.deepEqual(await find({ domain_id: String(foreign.domainId) }), []);
      for (const [id, status] of [
        [ids.plain, 200],
        [(ids.bulk ?? 0) + 1, 404],
      ] as const) {
        for (const path of ['', '/events']) {
          const answer = await api.app.inject({ url: `/api/v1/messages/${id}${path}`, headers });
          assert.equal(answer.statusCode, status, answer.body);
        }
      }
    });
  });

  describe('page by page', () => {
    it('ends, and shows each message once, also while others come in, over the bounds of partitions', async () => {
      const other = await api.createTenant();
      const headers = { 'mailpace-server-token': other.token };
      const ids: number[] = [];
      for (const jump of [0, 0, 1_999_999, 0, 7_000_000, 0]) {
        await api.store.pool.query(
          "select setval('messages_id_seq', (select last_value from messages_id_seq) + $1)",
          [jump],
        );
        ids.push(await send({ tags: ['t'] }, other));
      }
      for (const filter of [
        {},
        { recipient: 'b@example.com' },
        { recipient: 'b@e*' },
        { tag: 't' },
        { status: 'queued' },
      ]) {
        const seen: number[] = [];
        let cursor: string | null | undefined;
        while (cursor !== null) {
          const page = (
            await get({ ...filter, limit: '2', ...(cursor && { cursor }) }, headers)
          ).json<Page>();
          assert.ok(page.messages.length <= 2);
          if (seen.length === 0) await send({}, other);
          seen.push(...page.messages.map(({ id }) => id));
          cursor = page.next_cursor;
        }
        assert.deepEqual(
          seen.filter((id) => ids.includes(id)),
          ids.toReversed(),
          JSON.stringify(filter),
        );
      }
    });

    it('takes no cursor that it did not give to the same caller (AP-3)', async () => {
      await send();
      const { next_cursor: cursor } = (await get({ limit: '1' })).json<Page>();
      assert.ok(cursor);
      const other = { 'mailpace-server-token': foreign.token };
      const swapped = (cursor.startsWith('A') ? 'B' : 'A') + cursor.slice(1);
      for (const [text, headers] of [
        [cursor, other],
        [swapped, {}],
        [`${cursor}=`, {}],
        [cursor.slice(1), {}],
        ['1; drop table messages', {}],
        ['$gt', {}],
      ] as const) {
        const answer = await get({ cursor: text }, headers);
        assert.deepEqual(
          [answer.statusCode, answer.json()],
          [400, { errors: { cursor: ['is invalid'] } }],
          text,
        );
      }
    });
  });

  for (const [query, field] of [
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['limit=1e9', 'limit'],
    ['limit=-1', 'limit'],
    ['limit=x', 'limit'],
    ['status=lost', 'status'],
    ["status=queued'--", 'status'],
    ['stream=x', 'stream'],
    ['source[$ne]=http&source=', 'source'],
    ['since=yesterday', 'since'],
    ['since=2026-13-01T00:00:00Z', 'since'],
    ['until=2026-06-30T23:59:60Z', 'until'],
    ['recipient=an*', 'recipient'],
    ['recipient=a&recipient=b', 'recipient'],
    [`recipient=${'a'.repeat(321)}`, 'recipient'],
    ['recipient=', 'recipient'],
    ['subject=%20-%20', 'subject'],
    ['metadata=order', 'metadata'],
    ['domain_id=0', 'domain_id'],
    [`domain_id=${'9'.repeat(30)}`, 'domain_id'],
    ['cursor=', 'cursor'],
  ] as const) {
    it(`400 for ?${query.slice(0, 40)}, naming the field (AP-3)`, async () => {
      const answer = await api.app.inject({
        url: `/api/v1/messages?${query}`,
        headers: { 'mailpace-server-token': tenant.token },
      });
      assert.equal(answer.statusCode, 400, answer.body);
      assert.ok(Object.keys(answer.json<{ errors: object }>().errors).includes(field), answer.body);
    });
  }
});
