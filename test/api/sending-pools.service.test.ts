import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { checkAddresses } from '../../api/jobs/check-addresses.ts';
import { createOperatorToken } from '../../api/models/api-token.ts';
import { createBlockStore } from '../../lib/pools/block-store.ts';
import { testRedisUrl } from '../support/postgres.ts';
import { log, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('sending pools', () => {
  let api: TestApi;
  let tenant: Tenant;
  let operatorToken = '';

  before(async () => {
    api = await startTestApi('pools', { redis: { url: testRedisUrl() } });
    tenant = await api.createTenant();
    ({ token: operatorToken } = await createOperatorToken(api.store.pool, { name: 'ada' }));
  });
  after(() => api.close());
  beforeEach(async () => void (await api.store.pool.query('delete from sending_pools')));

  async function operate(method: InjectOptions['method'], path: string, payload?: object) {
    const headers = { 'postern-operator-token': operatorToken };
    const request = { method, url: `/api/v1${path}`, headers, ...(payload && { payload }) };
    const response = await api.app.inject(request as InjectOptions);
    return { status: response.statusCode, body: response.json() };
  }

  const create = async (name: string): Promise<number> =>
    (await operate('POST', '/sending_pools', { sending_pool: { name } })).body.id;
  const addAddress = (id: number, address: string, helo = 'out.test') =>
    operate('POST', `/sending_pools/${id}/addresses`, { ip_address: { address, helo } });
  const assign = (id: number, assignment: object) =>
    operate('POST', `/sending_pools/${id}/assignments`, { assignment });

  async function readByRpc() {
    const headers = { authorization: `Bearer ${api.settings.secrets.serviceToken}` };
    return (await api.app.inject({ url: '/rpc/v1/sending_pools', headers })).json();
  }

  it('are made, filled, assigned, and told to the mta at once', async () => {
    const id = await create('main');
    api.invalidated.length = 0;
    assert.equal((await addAddress(id, '192.0.2.1', 'out1.test')).status, 201);
    await addAddress(id, '2001:DB8:0:0::1', 'out6.test');
    const { status, body } = await assign(id, { domain: tenant.domain, stream: 'bulk' });
    assert.equal(status, 201);
    assert.deepEqual(api.invalidated, Array(3).fill('findSendingPools {}'));
    assert.deepEqual((await operate('GET', '/sending_pools')).body, [body]);
    assert.deepEqual(await readByRpc(), {
      pools: [
        {
          id,
          name: 'main',
          addresses: [
            { address: '192.0.2.1', helo: 'out1.test' },
            { address: '2001:db8::1', helo: 'out6.test' },
          ],
        },
      ],
      assignments: [{ poolId: id, organizationId: null, domain: tenant.domain, stream: 'bulk' }],
    });
  });

  it('lose what is taken away, and go with all they have', async () => {
    const id = await create('main');
    const { addresses } = (await addAddress(id, '192.0.2.1')).body;
    const { assignments } = (await assign(id, { organization_id: tenant.organizationId })).body;
    const other = await create('other');
    const path = `/sending_pools/${id}`;
    assert.equal(
      (await operate('DELETE', `/sending_pools/${other}/addresses/${addresses[0].id}`)).status,
      404,
    );
    assert.deepEqual((await operate('DELETE', `${path}/addresses/${addresses[0].id}`)).body.addresses, []);
    assert.equal((await operate('DELETE', `${path}/assignments/${assignments[0].id}`)).status, 200);
    assert.equal((await operate('DELETE', path)).status, 200);
    assert.equal((await operate('GET', path)).status, 404);
    assert.equal((await readByRpc()).pools.length, 1);
  });

  it('refuse what is there already, and what nobody knows', async () => {
    const id = await create('main');
    await addAddress(id, '192.0.2.1');
    await assign(id, {});
    const problems = [
      await operate('POST', '/sending_pools', { sending_pool: { name: 'main' } }),
      await addAddress(id, '192.0.2.1'),
      await assign(await create('other'), {}),
      await assign(id, { domain: 'nobodys.test' }),
      await assign(id, { organization_id: 999_999 }),
    ];
    assert.deepEqual(
      problems.map(({ status, body }) => [status, body.errors]),
      [
        [422, { 'sending_pool.name': ['has already been taken'] }],
        [422, { 'ip_address.address': ['is in a pool already'] }],
        [422, { assignment: ['has a pool already'] }],
        [422, { 'assignment.domain': ['is not known'] }],
        [422, { 'assignment.organization_id': ['is not known'] }],
      ],
    );
  });

  for (const [address, helo] of [
    ['192.0.2.300', 'out.test'],
    ['192.0.2.1/24', 'out.test'],
    ['::ffff:192.0.2.1', 'out.test'],
    ['out.test', 'out.test'],
    ['192.0.2.1', 'out'],
    ['192.0.2.1', 'out.test\r\nMAIL'],
  ] as const) {
    it(`422 for ${JSON.stringify([address, helo])}`, async () => {
      assert.equal((await addAddress(await create('main'), address, helo)).status, 422);
    });
  }

  it('show what a check found of their addresses', async () => {
    const id = await create('main');
    await addAddress(id, '192.0.2.1');
    assert.equal((await operate('POST', '/address_checks')).status, 202);
    const settings = { ...api.settings, pools: { ...api.settings.pools, blocklists: [] } };
    settings.sandbox = { ...settings.sandbox, dnsPort: 1, smtpPort: 1 };
    await checkAddresses({ store: api.store, settings, log });
    const [address] = (await operate('GET', `/sending_pools/${id}`)).body.addresses;
    assert.equal(address.findings.port.status, 'unknown');
    assert.equal(address.findings.reverse_dns.status, 'unknown');
    assert.equal(Number.isNaN(Date.parse(address.checked_at)), false);
  });

  it('show the blocks of their addresses, and lift them', async () => {
    const { redis, pools: terms } = api.settings;
    const blocks = createBlockStore({ redisUrl: redis.url, terms, log });
    const site = `blocks-${process.pid}-${Date.now()}.test`;
    await blocks.block('192.0.2.1', site, '550 5.7.1 blocked');
    const own = async () =>
      (await operate('GET', '/address_blocks')).body.filter((one: { site: string }) => one.site === site);
    const [shown] = await own();
    assert.deepEqual([shown.address, shown.strikes, shown.reply], ['192.0.2.1', 1, '550 5.7.1 blocked']);
    const path = `/address_blocks?address=192.0.2.1&site=${site}`;
    assert.equal((await operate('DELETE', path)).status, 200);
    assert.deepEqual([await own(), (await operate('DELETE', path)).status], [[], 404]);
    assert.equal((await blocks.blocksOf(site)).size, 0);
    blocks.close();
  });
});
