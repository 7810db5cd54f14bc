import assert from 'node:assert/strict';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('domains and their tokens', () => {
  let api: TestApi;
  let tenant: Tenant;
  let stranger: Tenant;

  before(async () => {
    api = await startTestApi('domains');
    tenant = await api.createTenant();
    stranger = await api.createTenant();
  });
  after(() => api.close());

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
