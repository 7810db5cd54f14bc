import assert from 'node:assert/strict';
import type { InjectOptions } from 'fastify';
import { createOperatorToken } from '../../api/models/api-token.ts';
import { sendRequest, startTestApi, type TestApi } from './support.ts';

describe('organizations', () => {
  let api: TestApi;
  let operatorToken = '';

  before(async () => {
    api = await startTestApi('organizations');
    ({ token: operatorToken } = await createOperatorToken(api.store.pool, { name: 'ada' }));
  });
  after(() => api.close());

  async function ask(headers: object, method: InjectOptions['method'], path: string, payload?: object) {
    const request = { method, url: `/api/v1${path}`, headers, ...(payload && { payload }) };
    const response = await api.app.inject(request as InjectOptions);
    return { status: response.statusCode, body: response.json() };
  }

  const operate = (method: InjectOptions['method'], path: string, payload?: object) =>
    ask({ 'postern-operator-token': operatorToken }, method, path, payload);
  const manage = (token: string, method: InjectOptions['method'], path: string, payload?: object) =>
    ask({ 'mailpace-organization-token': token }, method, path, payload);

  it('are made with the terms that are named, shown, and listed newest first', async () => {
    const made = await operate('POST', '/organizations', {
      organization: { name: 'Shop', max_domains: 2, retention_days: 7 },
    });
    assert.equal(made.status, 201);
    const { id, created_at, ...rest } = made.body;
    assert.deepEqual(rest, {
      name: 'Shop',
      suspended_at: null,
      suspension_kind: null,
      suspension_reason: null,
      throttled_to: null,
      throttle_reason: null,
      tls_required: false,
      retention_days: 7,
      max_domains: 2,
      messages_per_minute: null,
      spam_mark_score: null,
      spam_hold_score: null,
      spam_refuse_score: null,
      contact: null,
      bounce_mail: false,
    });
    assert.equal(Number.isNaN(Date.parse(created_at)), false);
    assert.deepEqual(await operate('GET', `/organizations/${id}`), { status: 200, body: made.body });

    const { body: younger } = await operate('POST', '/organizations', { organization: { name: 'Bakery' } });
    const { body: page } = await operate('GET', '/organizations?limit=1');
    assert.deepEqual(page, [younger]);
    assert.deepEqual((await operate('GET', `/organizations?before=${younger.id}&limit=1`)).body, [made.body]);
  });

  for (const [field, organization, problem] of [
    ['organization.name', { name: '' }, /fewer than 1/],
    ['organization.name', {}, /undefined field/],
    ['organization.name', { name: 'a\nb' }, /pattern/],
    ['organization.retention_days', { name: 'x', retention_days: 0 }, />= 1/],
    ['organization.max_domains', { name: 'x', max_domains: -1 }, />= 0/],
    ['organization.messages_per_minute', { name: 'x', messages_per_minute: 0 }, />= 1/],
    ['organization.messages_per_minute', { name: 'x', messages_per_minute: { $gt: '' } }, /integer,null/],
  ] as const) {
    it(`422 for ${JSON.stringify(organization)}`, async () => {
      const { status, body } = await operate('POST', '/organizations', { organization });
      assert.equal(status, 422);
      assert.match(String(body.errors[field]), problem, JSON.stringify(body));
    });
  }

  for (const query of ['limit=0', 'limit=1e9', 'limit=-1', 'before=0', 'before=x', 'before=1;drop table x']) {
    it(`422 for a list with ?${query} (AP-3)`, async () => {
      for (const path of ['organizations', 'audit_entries']) {
        assert.equal((await operate('GET', `/${path}?${query}`)).status, 422, path);
      }
    });
  }

  it('keep what a change does not name', async () => {
    const { organizationId } = await api.createTenant();
    const path = `/organizations/${organizationId}`;
    await operate('PATCH', path, { organization: { max_domains: 5, messages_per_minute: 60 } });
    const { body } = await operate('PATCH', path, { organization: { max_domains: null } });
    assert.deepEqual([body.max_domains, body.messages_per_minute, body.retention_days], [null, 60, 30]);
    assert.equal((await operate('PATCH', path, { organization: {} })).body.messages_per_minute, 60);
  });

  it('may have so many domains as their operator says', async () => {
    const tenant = await api.createTenant();
    await operate('PATCH', `/organizations/${tenant.organizationId}`, { organization: { max_domains: 2 } });
    const create = (url: string) => manage(tenant.organizationToken, 'POST', '/domains', { domain: { url } });

    const answers = await Promise.all(['a', 'b', 'c'].map((name) => create(`${name}.max-domains.test`)));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 422, 422]);
    assert.deepEqual(answers.find(({ status }) => status === 422)?.body, {
      errors: { domain: ['exceeds the number of domains the organization may have'] },
    });
  });

  it('send no faster than their operator says', async () => {
    const tenant = await api.createTenant();
    const path = `/organizations/${tenant.organizationId}`;
    const send = async () => (await api.app.inject(sendRequest(tenant))).statusCode;
    await operate('PATCH', path, { organization: { messages_per_minute: 1 } });
    assert.deepEqual([await send(), await send()], [200, 429]);

    await operate('PATCH', path, { organization: { messages_per_minute: null } });
    assert.equal(await send(), 200);
    assert.equal(api.invalidated.filter((line) => line.startsWith('findCredential')).length >= 2, true);
  });

  it('send nothing while they are suspended; each may be said twice', async () => {
    const tenant = await api.createTenant();
    const path = `/organizations/${tenant.organizationId}/suspension`;
    const first = await operate('PUT', path);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 403);
    assert.deepEqual(await operate('PUT', path), first);

    assert.equal((await operate('DELETE', path)).body.suspended_at, null);
    assert.equal((await operate('DELETE', path)).status, 200);
    assert.equal((await api.app.inject(sendRequest(tenant))).statusCode, 200);
  });

  it('get their first token from an operator, and see themselves with it', async () => {
    const { body: made } = await operate('POST', '/organizations', { organization: { name: 'First' } });
    const { status, body } = await operate('POST', `/organizations/${made.id}/api_tokens`, {
      api_token: { name: 'first' },
    });
    assert.equal(status, 201);
    assert.deepEqual((await manage(body.token, 'GET', '/organization')).body, made);
    assert.equal((await manage(body.token, 'GET', `/organizations/${made.id}`)).status, 401);

    const path = `/organizations/${made.id}/api_tokens/${body.id}`;
    assert.equal((await operate('DELETE', path)).status, 200);
    assert.equal((await manage(body.token, 'GET', '/organization')).status, 401);
  });

  it('404 for one that is not there, on every route', async () => {
    const expected = { status: 404, body: { error: 'Not found' } };
    for (const id of ['999999999', '0', '-1', 'x', '1%27']) {
      assert.deepEqual(await operate('GET', `/organizations/${id}`), expected, id);
      assert.deepEqual(await operate('PUT', `/organizations/${id}/suspension`), expected, id);
      assert.deepEqual(await operate('DELETE', `/organizations/${id}/suspension`), expected, id);
      assert.deepEqual(
        await operate('PATCH', `/organizations/${id}`, { organization: { name: 'x' } }),
        expected,
      );
      assert.deepEqual(await operate('GET', `/organizations/${id}/api_tokens`), expected, id);
    }
  });

  it('have what their operator did in their log; operators see the logs of all', async () => {
    const tenant = await api.createTenant();
    const id = tenant.organizationId;
    await operate('PUT', `/organizations/${id}/suspension`);
    const { body: own } = await manage(tenant.organizationToken, 'GET', '/organization/audit_entries');
    assert.deepEqual(
      own.map((entry: { action: string; actor: object }) => [entry.action, entry.actor]),
      [['organization.suspended', { kind: 'operator', token_id: own[0].actor.token_id, name: 'ada' }]],
    );
    assert.deepEqual((await operate('GET', `/audit_entries?organization_id=${id}`)).body, own);
    assert.equal((await operate('GET', '/audit_entries?limit=200')).body.length > own.length, true);
  });

  it('are not for an operator whose token has not the scope', async () => {
    const { token } = await createOperatorToken(api.store.pool, {
      name: 'reader',
      scopes: ['organizations:read'],
    });
    const headers = { 'postern-operator-token': token };
    assert.equal((await ask(headers, 'GET', '/organizations')).status, 200);
    const { status, body } = await ask(headers, 'POST', '/organizations', { organization: { name: 'x' } });
    assert.deepEqual(
      [status, body],
      [403, { error: 'This API token needs the scope organizations:write for that' }],
    );
  });
});
