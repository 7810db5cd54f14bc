import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { createPartitionsAhead, fillGaps, listIdRanges } from '../../api/models/partition.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('api/models/partition', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('partitions');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  const create = (size = 1_000_000) => inTransaction(api.store, (tx) => createPartitionsAhead(tx, size));
  const jumpTo = (id: number) => api.store.pool.query("select setval('messages_id_seq', $1)", [id]);

  async function send(): Promise<{ id: number; tables: string[] }> {
    const response = await api.app.inject(sendRequest(tenant));
    assert.equal(response.statusCode, 200, response.body);
    const { id } = response.json<{ id: number }>();
    const { rows } = await api.store.pool.query<{ table: string }>(
      `select tableoid::regclass::text as table from messages where id = $1
       union all select tableoid::regclass::text from message_sources where message_id = $1
       union all select tableoid::regclass::text from message_terms where message_id = $1
       union all select tableoid::regclass::text from recipients where message_id = $1
       union all select tableoid::regclass::text from events where message_id = $1`,
      [id],
    );
    return { id, tables: rows.map(({ table }) => table) };
  }

  const tablesOf = (suffix: string) =>
    ['messages', 'message_sources', 'message_terms', 'recipients', 'events'].map(
      (table) => `${table}_${suffix}`,
    );

  it('makes the next partitions ahead, once, however many ask at the same time', async () => {
    const created = await Promise.all([create(), create(), create()]);
    assert.deepEqual(created.flat(), [2_000_000, 3_000_000]);
    assert.deepEqual(await create(), []);

    await jumpTo(2_999_999);
    assert.deepEqual((await send()).tables, tablesOf('3000000'));
    assert.deepEqual(await create(), [4_000_000, 5_000_000]);
  });

  it('takes mail when nobody made a partition in time, and goes on behind it', async () => {
    await jumpTo(7_999_000);
    const lost = await send();
    assert.deepEqual(lost.tables, tablesOf('default'));

    assert.deepEqual(await create(), [9_000_000, 10_000_000]);
    await jumpTo(9_000_000);
    assert.deepEqual((await send()).tables, tablesOf('9000000'));
    const shown = await api.app.inject({
      url: `/api/v1/messages/${lost.id}`,
      headers: { 'mailpace-server-token': tenant.token },
    });
    assert.equal(shown.statusCode, 200);
    assert.deepEqual((await listIdRanges(api.store.pool))[1], { from: 6_000_000, to: 9_000_000 });
  });

  it('gives up rather than keep mail waiting behind it', async () => {
    const client = await api.store.pool.connect();
    try {
      await client.query('begin; lock table messages_default in access share mode');
      await jumpTo(10_500_000);
      await assert.rejects(create(), { code: '55P03' });
      assert.deepEqual((await send()).tables, tablesOf('10000000'));
    } finally {
      await client.query('rollback');
      client.release();
    }
    assert.deepEqual(await create(), [11_000_000, 12_000_000, 13_000_000]);
  });

  it('covers every id with its ranges', () => {
    const partitions = [
      { from: 30, to: 40 },
      { from: 20, to: 30 },
      { from: 0, to: 10 },
    ];
    assert.deepEqual(fillGaps(partitions, 45), [
      { from: 40, to: 45 },
      { from: 30, to: 40 },
      { from: 20, to: 30 },
      { from: 10, to: 20 },
      { from: 0, to: 10 },
    ]);
    assert.deepEqual(fillGaps(partitions, 25), [
      { from: 20, to: 25 },
      { from: 10, to: 20 },
      { from: 0, to: 10 },
    ]);
    assert.deepEqual(fillGaps([], 5), [{ from: 0, to: 5 }]);
    assert.deepEqual(fillGaps(partitions.slice(0, 1), 35), [
      { from: 30, to: 35 },
      { from: 0, to: 30 },
    ]);
  });
});
