import assert from 'node:assert/strict';
import { type DnsServer, startDnsServer } from '../../sandbox/dns-server.ts';
import { createZone, type FindDkimRecord } from '../../sandbox/zone.ts';
import { log, sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('domains and their tokens', () => {
  let dns: DnsServer;
  /** What the DNS says, by selector and domain. */
  const records = new Map<string, string>();
  let api: TestApi;
  let tenant: Tenant;
  let stranger: Tenant;

  before(async () => {
    const findDkimRecord: FindDkimRecord = async (domain, selector) => {
      const value = records.get(`${selector} ${domain}`);
      return value === undefined ? { ok: false, reason: 'not_found' } : { ok: true, value: { value } };
    };
    const zone = createZone({ hostname: 'postern.test', address: '127.0.0.1', findDkimRecord });
    dns = await startDnsServer({ host: '127.0.0.1', port: 0, zone, log });
    api = await startTestApi('domains', { sandbox: { dnsPort: dns.port } });
    tenant = await api.createTenant();
    stranger = await api.createTenant();
  });
  after(async () => {
    await api.close();
    await dns.close();
  });

  async function call(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    payload?: object,
    token = tenant.organizationToken,
  ) {
    const response = await api.app.inject({
      method,
      url: `/api/v1/domains${path}`,
      headers: { 'mailpace-organization-token': token },
      ...(payload ? { payload } : {}),
    });
    return { status: response.statusCode, body: response.json() };
  }

  it('makes a domain, ready to be published', async () => {
    const { status, body } = await call('POST', '', { domain: { url: 'Example.COM', name: 'Production' } });

    assert.equal(status, 201);
    const { id, dkim_string, created_at, modified_at, ...rest } = body;
    assert.deepEqual(rest, {
      name: 'Production',
      url: 'example.com',
      dkim_selector: 'postern',
      dkim_verified: false,
    });
    assert.match(dkim_string, /^v=DKIM1; k=rsa; p=/);
    assert.equal(Number.isNaN(Date.parse(created_at) + Date.parse(modified_at)), false);
    assert.deepEqual((await call('GET', `/${id}`)).body, body);
    assert.deepEqual(
      (await call('GET', '?limit=1&offset=1')).body.map((domain: { id: number }) => domain.id),
      [id],
    );
    assert.ok(api.invalidated.includes('findDkimKeys {"name":"example.com"}'));
  });

  const refusals: [what: string, payload: object, errors: object][] = [
    ['no url', { domain: {} }, { 'domain.url': ['undefined field'] }],
    ['no domain', {}, { domain: ['undefined field'] }],
    ['a name without a dot', { domain: { url: 'localhost' } }, { url: ['is invalid'] }],
    ['an address', { domain: { url: '127.0.0.1' } }, { url: ['is invalid'] }],
    ['an URL', { domain: { url: 'https://example.org/' } }, { url: ['is invalid'] }],
    [
      'a label with NUL',
      { domain: { url: 'nul.test', name: 'a\0b' } },
      { 'domain.name': ['must match pattern "^[^\\u0000-\\u001f]*$"'] },
    ],
    ['injection', { domain: { url: "x'; drop table domains; --.test" } }, { url: ['is invalid'] }],
  ];
  for (const [what, payload, errors] of refusals) {
    it(`422 for ${what}`, async () => {
      assert.deepEqual(await call('POST', '', payload), { status: 422, body: { errors } });
    });
  }

  it('422 for a name that is taken, by whomever', async () => {
    const expected = { status: 422, body: { errors: { url: ['has already been taken'] } } };
    assert.deepEqual(await call('POST', '', { domain: { url: tenant.domain } }), expected);
    assert.deepEqual(await call('POST', '', { domain: { url: stranger.domain } }), expected);
  });

  it('verifies a domain once its key is in the DNS, and not before', async () => {
    const { body } = await call('POST', '', { domain: { url: 'verify.test' } });
    const verify = async () => (await call('POST', `/${body.id}/verify`)).body;

    assert.deepEqual(await verify(), {
      dkim_verified: false,
      errors: { dkim: 'No matching DKIM key found' },
    });
    records.set('postern verify.test', 'v=DKIM1; p=AAAA');
    assert.deepEqual(await verify(), {
      dkim_verified: false,
      errors: { dkim: 'The DKIM record holds another key' },
    });
    records.set('postern verify.test', body.dkim_string.replace('p=', 'p= ').replace('k=rsa; ', ''));
    assert.deepEqual(await verify(), { dkim_verified: true, errors: {} });
    assert.equal((await call('GET', `/${body.id}`)).body.dkim_verified, true);
    records.clear();
    assert.deepEqual(await verify(), { dkim_verified: true, errors: { dkim: 'No matching DKIM key found' } });
  });

  it('makes a token, shows it once, and lets one send with it until it is revoked', async () => {
    const path = `/${tenant.domainId}/api_tokens`;
    const { status, body } = await call('POST', path, { api_token: { name: 'app' } });
    assert.equal(status, 201);
    assert.equal(body.name, 'app');
    const send = async () => (await api.app.inject(sendRequest({ ...tenant, token: body.token }))).statusCode;
    assert.equal(await send(), 200);

    const { body: listed } = await call('GET', path);
    assert.equal(
      listed.some(({ id }: { id: number }) => id === body.id),
      true,
    );
    assert.equal(JSON.stringify(listed).includes(body.token), false);
    const { rows } = await api.store.pool.query(`select from api_tokens where digest = $1 or name = $1`, [
      body.token,
    ]);
    assert.equal(rows.length, 0);

    assert.equal((await call('DELETE', `${path}/${body.id}`)).status, 200);
    assert.equal(await send(), 400);
  });

  it('makes a token without a body', async () => {
    assert.equal((await call('POST', `/${tenant.domainId}/api_tokens`)).status, 201);
  });

  it("answers the same for another organization's domain and for none (AU-9)", async () => {
    const missing = { status: 404, body: { error: 'Not found' } };
    for (const id of [stranger.domainId, 999_999, 0, 'x']) {
      assert.deepEqual(await call('GET', `/${id}`), missing);
      assert.deepEqual(await call('GET', `/${id}/api_tokens`), missing);
      assert.deepEqual(await call('POST', `/${id}/api_tokens`, {}), missing);
      assert.deepEqual(await call('DELETE', `/${id}/api_tokens/${stranger.tokenId}`), missing);
    }
    assert.deepEqual(await call('DELETE', `/${tenant.domainId}/api_tokens/${stranger.tokenId}`), missing);
    assert.equal((await api.app.inject(sendRequest(stranger))).statusCode, 200);
  });

  it('401 without an organization token that is good', async () => {
    for (const token of ['', 'x', tenant.token]) {
      assert.equal((await call('GET', '', undefined, token)).status, 401);
      assert.equal((await call('POST', '', { domain: { url: 'new.test' } }, token)).status, 401);
      assert.equal((await call('POST', `/${tenant.domainId}/api_tokens`, {}, token)).status, 401);
    }
  });
});
