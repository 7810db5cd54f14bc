import assert from 'node:assert/strict';
import { digestToken } from '../../lib/secrets.ts';
import { sendRequest, startTestApi, submissionRequest, type Tenant, type TestApi } from './support.ts';

const INSIDE = '192.0.2.7';
const OUTSIDE = '203.0.113.9';

describe('API tokens', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('tokens');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object) {
    const response = await api.app.inject({
      method,
      url: `/api/v1/domains/${tenant.domainId}/api_tokens${path}`,
      headers: { 'mailpace-organization-token': tenant.organizationToken },
      ...(payload ? { payload } : {}),
    });
    return { status: response.statusCode, body: response.json() };
  }

  async function createToken(terms: object): Promise<{ id: number; token: string }> {
    const { status, body } = await call('POST', '', { api_token: terms });
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  }

  async function send(token: string, remoteAddress = INSIDE) {
    const response = await api.app.inject({ ...sendRequest({ ...tenant, token }), remoteAddress });
    return { status: response.statusCode, body: response.json() };
  }

  async function list(token: string) {
    const headers = { 'mailpace-server-token': token };
    const response = await api.app.inject({ url: '/api/v1/messages', headers });
    return { status: response.statusCode, body: response.json() };
  }

  /** What the gateway learns about the token. */
  async function findCredential(token: string) {
    return api.app.inject({
      url: `/rpc/v1/credentials/${digestToken(token)}`,
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
    });
  }

  async function submit(tokenId: number, address: string) {
    const message = `From: a@${tenant.domain}\r\nTo: b@example.com\r\n\r\nHi\r\n`;
    const response = await api.app.inject(
      submissionRequest(api, { ...tenant, tokenId }, message, {
        client: { address, helo: 'client', tls: null },
      }),
    );
    return { status: response.statusCode, body: response.json() };
  }

  it('are shown one by one, renamed, and revoked', async () => {
    const { id, token, ...made } = await createToken({ name: 'app' });
    assert.partialDeepStrictEqual(made, {
      name: 'app',
      scopes: null,
      allowed_networks: [],
      expires_at: null,
      last_used_at: null,
    });
    assert.deepEqual((await call('GET', `/${id}`)).body, { id, ...made });
    const renamed = await call('PATCH', `/${id}`, { api_token: { name: 'billing' } });
    assert.deepEqual(renamed, { status: 200, body: { id, ...made, name: 'billing' } });
    assert.deepEqual(await call('DELETE', `/${id}`), { status: 200, body: { message: 'API token revoked' } });

    const missing = { status: 404, body: { error: 'Not found' } };
    assert.deepEqual(await call('GET', `/${id}`), missing);
    assert.deepEqual(await call('PATCH', `/${id}`, { api_token: { name: 'x' } }), missing);
    assert.deepEqual(await call('DELETE', `/${id}`), missing);
    assert.equal((await send(token)).status, 400);
  });

  it('do what their scopes say, and no more, over HTTP and SMTP', async () => {
    const sender = await createToken({ scopes: ['send'] });
    const reader = await createToken({ scopes: ['messages:read'] });

    assert.equal((await send(sender.token)).status, 200);
    assert.equal((await list(reader.token)).status, 200);
    assert.deepEqual(await list(sender.token), {
      status: 403,
      body: { error: 'This API token needs the scope messages:read for that' },
    });
    assert.equal((await send(reader.token)).status, 403);
    assert.equal((await findCredential(sender.token)).statusCode, 200);
    assert.equal((await findCredential(reader.token)).statusCode, 404);
    assert.equal((await submit(reader.id, INSIDE)).body.error.code, 'credential_revoked');
  });

  it('get and lose scopes later', async () => {
    const { id, token } = await createToken({ scopes: ['messages:read'] });
    await call('PATCH', `/${id}`, { api_token: { scopes: null } });
    assert.equal((await send(token)).status, 200);
    await call('PATCH', `/${id}`, { api_token: { scopes: ['messages:read'] } });
    assert.equal((await send(token)).status, 403);
    assert.ok(api.invalidated.includes(`findCredential ${JSON.stringify({ digest: digestToken(token) })}`));
  });

  it('are good from their networks only, over HTTP and SMTP', async () => {
    const { id, token } = await createToken({ allowed_networks: ['192.0.2.9/24', '2001:db8::1'] });
    assert.deepEqual((await call('GET', `/${id}`)).body.allowed_networks, [
      '192.0.2.0/24',
      '2001:db8::1/128',
    ]);
    assert.equal((await send(token, INSIDE)).status, 200);
    assert.equal((await send(token, '2001:db8::1')).status, 200);
    assert.deepEqual(await send(token, OUTSIDE), {
      status: 403,
      body: { error: 'This API token may not be used from this address' },
    });
    assert.deepEqual((await findCredential(token)).json().allowedNetworks, [
      '192.0.2.0/24',
      '2001:db8::1/128',
    ]);
    assert.equal((await submit(id, INSIDE)).status, 200);
    assert.equal((await submit(id, OUTSIDE)).body.error.code, 'credential_revoked');
  });

  it('cannot be used from elsewhere by a forged X-Forwarded-For (AP-4)', async () => {
    const { token } = await createToken({ allowed_networks: ['192.0.2.0/24'] });
    const request = sendRequest({ ...tenant, token }, {}, { 'x-forwarded-for': INSIDE });
    assert.equal((await api.app.inject({ ...request, remoteAddress: OUTSIDE })).statusCode, 403);
  });

  it('end at the moment they were made for, as if they had been revoked', async () => {
    const { id, token } = await createToken({ expires_at: new Date(Date.now() + 60_000).toISOString() });
    assert.equal((await send(token)).status, 200);
    await api.store.pool.query(
      "update api_tokens set expires_at = now() - interval '1 second' where id = $1",
      [id],
    );
    assert.deepEqual(await send(token), { status: 400, body: { error: 'Invalid API Token' } });
    assert.equal((await findCredential(token)).statusCode, 404);
    assert.equal((await submit(id, INSIDE)).body.error.code, 'credential_revoked');
  });

  it('say when they were last used', async () => {
    const { id, token } = await createToken({});
    const before = Date.now();
    await send(token);
    const { last_used_at } = (await call('GET', `/${id}`)).body;
    assert.ok(Math.abs(Date.parse(last_used_at) - before) < 5_000, last_used_at);
    await send(token);
    assert.equal((await call('GET', `/${id}`)).body.last_used_at, last_used_at);
  });

  const refusals: [what: string, terms: object, field: string][] = [
    ['an unknown scope', { scopes: ['everything'] }, 'api_token.scopes.0'],
    ['no scope at all', { scopes: [] }, 'api_token.scopes'],
    ['a network that is none', { allowed_networks: ['10.0.0.0/8', 'localhost'] }, 'allowed_networks'],
    ['a moment that has passed', { expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    ['a moment that is none', { expires_at: 'tomorrow' }, 'api_token.expires_at'],
    ['a name with a control character', { name: 'a\nb' }, 'api_token.name'],
  ];
  for (const [what, terms, field] of refusals) {
    it(`422 for ${what}`, async () => {
      const { status, body } = await call('POST', '', { api_token: terms });
      assert.equal(status, 422);
      assert.ok(field in body.errors, JSON.stringify(body));
      assert.equal((await call('PATCH', `/${tenant.tokenId}`, { api_token: terms })).status, 422);
    });
  }

  it('leave a trace in the audit log, without the token', async () => {
    const { id, token } = await createToken({ name: 'traced', scopes: ['send'] });
    await call('PATCH', `/${id}`, { api_token: { allowed_networks: ['192.0.2.1'] } });
    await call('DELETE', `/${id}`);
    const { rows } = await api.store.pool.query(
      'select * from audit_entries where subject_id = $1 order by id',
      [id],
    );
    assert.deepEqual(
      rows.map(({ action }) => action),
      ['api_token.created', 'api_token.changed', 'api_token.revoked'],
    );
    assert.partialDeepStrictEqual(rows[0], {
      organization_id: tenant.organizationId,
      actor_kind: 'organization',
      subject: 'traced',
      details: { scopes: ['send'] },
      address: '127.0.0.1',
    });
    assert.match(rows[0].request_id, /^[0-9a-f-]{36}$/);
    assert.equal(JSON.stringify(rows).includes(token), false);
  });

  it('are in the audit log of their organization alone', async () => {
    const { id } = await createToken({ name: 'listed' });
    const stranger = await api.createTenant();
    const list = async (token: string, query = '') => {
      const headers = { 'mailpace-organization-token': token };
      const response = await api.app.inject({ url: `/api/v1/organization/audit_entries${query}`, headers });
      assert.equal(response.statusCode, 200, response.body);
      return response.json<{ id: number; action: string; subject_id: number; actor: object }[]>();
    };

    const [newest, ...older] = await list(tenant.organizationToken);
    assert.partialDeepStrictEqual(newest, {
      action: 'api_token.created',
      subject: 'listed',
      subject_id: id,
      actor: { kind: 'organization' },
    });
    assert.deepEqual(await list(tenant.organizationToken, `?limit=200&before=${newest?.id}`), older);
    assert.equal(
      (await list(stranger.organizationToken)).some((entry) => entry.subject_id === id),
      false,
    );
  });
});
