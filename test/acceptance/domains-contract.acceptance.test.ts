/** Section 1.5 of the contract, row by row: the Domains API with an organization's token. */
import assert from 'node:assert/strict';
import { requestRaw } from '../support/raw-request.ts';
import { readStack, type Stack } from '../support/stack.ts';

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const NOT_FOUND = { status: 404, body: { error: 'Not found' } };

describe('Domains API (contract 1.5)', () => {
  let stack: Stack;
  before(() => {
    stack = readStack();
  });

  async function call(method: string, path: string, body?: object, token = stack.organizationToken) {
    const headers = {
      Accept: 'application/json',
      'Content-Type': 'application/json',
      ...(token && { 'MailPace-Organization-Token': token }),
    };
    const answer = await requestRaw({ method, url: `${stack.api}/api/v1${path}`, headers, body });
    return { status: answer.status, body: answer.body };
  }

  const newName = (parent = 'test') => `d${Math.random().toString(36).slice(2)}.${parent}`;

  async function createDomain(url = newName(), name = 'Production') {
    const { status, body } = await call('POST', '/domains', { domain: { url, name } });
    assert.equal(status, 201);
    return body;
  }

  it('POST /domains: 201 and the domain', async () => {
    const url = newName();
    const domain = await createDomain(url);
    const { id, dkim_selector, dkim_string, webhook_public_key, tls, created_at, modified_at, ...rest } =
      domain;
    assert.equal(tls, 'opportunistic');
    assert.deepEqual(rest, { name: 'Production', url, dkim_verified: false, advanced_verified: false });
    assert.ok(Number.isInteger(id));
    assert.match(dkim_selector, /^[a-z0-9]+$/);
    assert.match(dkim_string, /^v=DKIM1; h=sha256; p=[A-Za-z0-9+/]+=*$/);
    assert.equal(Buffer.from(webhook_public_key, 'base64').length, 32);
    assert.equal(Buffer.from(webhook_public_key, 'base64').toString('base64'), webhook_public_key);
    assert.match(created_at, MOMENT);
    assert.match(modified_at, MOMENT);
  });

  it('GET /domains/:id: 200 and the same', async () => {
    const domain = await createDomain();
    assert.deepEqual(await call('GET', `/domains/${domain.id}`), { status: 200, body: domain });
  });

  it('GET /domains: 200 and a list, the newest first', async () => {
    const [older, newer] = [await createDomain(), await createDomain()];
    assert.deepEqual((await call('GET', '/domains')).body.slice(0, 2), [newer, older]);
  });

  it('GET /domains: limit, offset, sort and direction', async () => {
    const [older, newer] = [await createDomain(), await createDomain()];
    const ids = async (query: string) =>
      (await call('GET', `/domains?${query}`)).body.map(({ id }: { id: number }) => id);
    assert.deepEqual(await ids('limit=1'), [newer.id]);
    assert.deepEqual(await ids('limit=1&offset=1&sort=id&direction=desc'), [older.id]);
    const all = await ids('limit=200&sort=id&direction=asc');
    assert.deepEqual(
      all,
      all.toSorted((a: number, b: number) => a - b),
    );
    const byName = (await call('GET', '/domains?limit=200&sort=name&direction=asc')).body;
    const names = byName.map((domain: { url: string }) => domain.url);
    assert.equal(names.length, all.length);
    for (const query of ['limit=0', 'limit=201', 'offset=-1', 'sort=url', 'direction=up']) {
      assert.equal((await call('GET', `/domains?${query}`)).status, 422, query);
    }
  });

  it('PATCH /domains/:id: name and url', async () => {
    const domain = await createDomain();
    const renamed = await call('PATCH', `/domains/${domain.id}`, { domain: { name: 'Staging' } });
    assert.deepEqual([renamed.status, renamed.body.name, renamed.body.url], [200, 'Staging', domain.url]);
    const url = newName();
    const moved = await call('PATCH', `/domains/${domain.id}`, { domain: { url } });
    assert.deepEqual([moved.status, moved.body.name, moved.body.url], [200, 'Staging', url]);
  });

  it('POST /domains/:id/verify: what the DNS lacks', async () => {
    const domain = await createDomain(newName('nxdomain.test'));
    assert.deepEqual(await call('POST', `/domains/${domain.id}/verify`), {
      status: 200,
      body: {
        dkim_verified: false,
        advance_verified: false,
        errors: { dkim: 'No matching DKIM key found', advance_verified: 'No CNAME keys found' },
      },
    });
  });

  it('POST /domains/:id/verify: what the DNS has, and the domain says so from then on', async () => {
    const domain = await createDomain();
    assert.deepEqual(await call('POST', `/domains/${domain.id}/verify`), {
      status: 200,
      body: { dkim_verified: true, advance_verified: true, errors: {} },
    });
    const { body } = await call('GET', `/domains/${domain.id}`);
    assert.deepEqual([body.dkim_verified, body.advanced_verified], [true, true]);
  });

  it('api_tokens: make, list, show, rename, revoke', async () => {
    const { id, url } = await createDomain();
    const path = `/domains/${id}/api_tokens`;
    const created = await call('POST', path, { api_token: { name: 'app' } });
    assert.equal(created.status, 201);
    const { token, ...shown } = created.body;
    assert.equal(typeof token, 'string');
    assert.deepEqual([shown.name, Number.isInteger(shown.id)], ['app', true]);
    assert.match(shown.created_at, MOMENT);

    assert.deepEqual(await call('GET', path), { status: 200, body: [shown] });
    assert.deepEqual(await call('GET', `${path}/${shown.id}`), { status: 200, body: shown });
    const renamed = await call('PATCH', `${path}/${shown.id}`, { api_token: { name: 'other' } });
    assert.deepEqual(renamed, { status: 200, body: { ...shown, name: 'other' } });

    await call('POST', `/domains/${id}/verify`);
    const send = () =>
      requestRaw({
        method: 'POST',
        url: `${stack.api}/api/v1/send`,
        headers: { 'Content-Type': 'application/json', 'MailPace-Server-Token': token },
        body: { from: `a@${url}`, to: 'b@example.test', textbody: 'x' },
      });
    assert.equal((await send()).status, 200);
    assert.deepEqual(await call('DELETE', `${path}/${shown.id}`), {
      status: 200,
      body: { message: 'API token revoked' },
    });
    assert.deepEqual((await send()).body, { error: 'Invalid API Token' });
    assert.deepEqual(await call('GET', `${path}/${shown.id}`), NOT_FOUND);
  });

  it('api_tokens: the name is optional, and so is the body', async () => {
    const { id } = await createDomain();
    for (const body of [undefined, {}, { api_token: {} }]) {
      assert.equal((await call('POST', `/domains/${id}/api_tokens`, body)).status, 201);
    }
  });

  for (const [row, token, error] of [
    ['missing', '', 'Missing Organization API Token'],
    ['invalid', 'nobody', 'Invalid Organization API Token'],
  ] as const) {
    it(`401 for a token that is ${row}`, async () => {
      assert.deepEqual(await call('GET', '/domains', undefined, token), { status: 401, body: { error } });
    });
  }

  it("404 for another organization's domain, or none", async () => {
    for (const [method, path, body] of [
      ['GET', '', undefined],
      ['PATCH', '', { domain: { name: 'x' } }],
      ['POST', '/verify', undefined],
      ['GET', '/api_tokens', undefined],
      ['POST', '/api_tokens', {}],
      ['GET', '/api_tokens/1', undefined],
      ['PATCH', '/api_tokens/1', { api_token: { name: 'x' } }],
      ['DELETE', '/api_tokens/1', undefined],
    ] as const) {
      assert.deepEqual(await call(method, `/domains/999999${path}`, body), NOT_FOUND, `${method} ${path}`);
    }
  });

  it('422 for a url that is missing, no name, or taken', async () => {
    const { url } = await createDomain();
    for (const [domain, errors] of [
      [{}, { 'domain.url': ['undefined field'] }],
      [{ url: 'localhost' }, { url: ['is invalid'] }],
      [{ url: 'https://example.test' }, { url: ['is invalid'] }],
      [{ url }, { url: ['has already been taken'] }],
    ] as const) {
      assert.deepEqual(await call('POST', '/domains', { domain }), { status: 422, body: { errors } });
    }
  });
});
