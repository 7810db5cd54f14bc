import assert from 'node:assert/strict';
import { type DomainWorld, startDomainWorld } from './domain-world.ts';
import { sendRequest, type Tenant } from './support.ts';

describe('domains and their tokens', () => {
  let world: DomainWorld;
  let api: DomainWorld['api'];
  let tenant: Tenant;
  let stranger: Tenant;
  let call: DomainWorld['call'];
  let createDomain: DomainWorld['createDomain'];

  before(async () => {
    world = await startDomainWorld('domains');
    ({ api, tenant, call, createDomain } = world);
    stranger = await api.createTenant();
  });
  after(() => world.close());

  it('makes a domain, ready to be published', async () => {
    const { status, body } = await call('POST', '', { domain: { url: 'Example.COM', name: 'Production' } });

    assert.equal(status, 201);
    const { id, dkim_string, webhook_public_key, created_at, modified_at, ...rest } = body;
    assert.deepEqual(rest, {
      name: 'Production',
      url: 'example.com',
      dkim_selector: 'postern',
      dkim_verified: false,
      advanced_verified: false,
      tls: 'opportunistic',
    });
    assert.match(dkim_string, /^v=DKIM1; h=sha256; p=/);
    assert.equal(Buffer.from(webhook_public_key, 'base64').length, 32);
    assert.equal(Number.isNaN(Date.parse(created_at) + Date.parse(modified_at)), false);
    assert.deepEqual((await call('GET', `/${id}`)).body, body);
    assert.deepEqual(
      (await call('GET', '?limit=1&offset=0')).body.map((domain: { id: number }) => domain.id),
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

  it('pages and sorts, newest first by default', async () => {
    const owner = await api.createTenant({ domain: 'm.sort.test' });
    const names = async (query: string) =>
      (await call('GET', query, undefined, owner.organizationToken)).body.map(
        ({ url }: { url: string }) => url,
      );
    for (const [url, name] of [
      ['z.sort.test', 'Alpha'],
      ['a.sort.test', 'Zulu'],
    ]) {
      await call('POST', '', { domain: { url, name } }, owner.organizationToken);
    }
    assert.deepEqual(await names(''), ['a.sort.test', 'z.sort.test', 'm.sort.test']);
    assert.deepEqual(await names('?sort=id&direction=asc'), ['m.sort.test', 'z.sort.test', 'a.sort.test']);
    assert.deepEqual(await names('?sort=name&direction=asc'), ['z.sort.test', 'm.sort.test', 'a.sort.test']);
    assert.deepEqual(await names('?sort=name&direction=desc&limit=1&offset=1'), ['m.sort.test']);
  });

  for (const query of [
    ...['sort=id;drop', "sort=name'--", 'direction=asc,id', 'limit=0', 'limit=201', 'limit=-1', 'limit=1e9'],
    ...['offset=-1', 'offset=x', 'sort[$gt]='],
  ]) {
    it(`422 for ?${query} (AP-3)`, async () => {
      const { status } = await call('GET', `?${query}`);
      assert.equal(status, query === 'sort[$gt]=' ? 200 : 422); // a parameter that nobody knows changes nothing
    });
  }

  it('renames a domain; with another url it has to be verified anew, with the same keys', async () => {
    const { id, ...made } = await createDomain('before.test');
    await api.store.pool.query('update domains set dkim_verified_at = now() where id = $1', [id]);
    const named = await call('PATCH', `/${id}`, { domain: { name: 'Shop' } });
    assert.partialDeepStrictEqual(named.body, { name: 'Shop', url: 'before.test', dkim_verified: true });

    const moved = await call('PATCH', `/${id}`, { domain: { url: 'After.test' } });
    assert.equal(moved.status, 200);
    const { dkim_string, dkim_selector } = made;
    const expected = { url: 'after.test', name: 'Shop', dkim_verified: false, dkim_string, dkim_selector };
    assert.partialDeepStrictEqual(moved.body, expected);
    const { statusCode } = await api.app.inject({
      url: '/rpc/v1/domains/after.test/dkim_keys',
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
    });
    assert.equal(statusCode, 200); // the key opens under the new name
    assert.ok(api.invalidated.includes('findDkimKeys {"name":"before.test"}'));
  });

  it('refuses a name that is taken or none, and to leave mail behind', async () => {
    const owner = await api.createTenant();
    const rename = (url: string) =>
      call('PATCH', `/${owner.domainId}`, { domain: { url } }, owner.organizationToken);
    assert.deepEqual((await rename(stranger.domain)).body, { errors: { url: ['has already been taken'] } });
    assert.deepEqual((await rename('localhost')).body, { errors: { url: ['is invalid'] } });
    await api.app.inject(sendRequest(owner));
    const { status, body } = await rename('left.test');
    assert.equal(status, 422);
    assert.deepEqual(body.errors, { url: ['cannot be changed while mail of the domain is under way'] });
  });

  it('deletes a domain once its mail is through: its name is free, its tokens and keys are gone', async () => {
    const owner = await api.createTenant({ domain: 'gone.test' });
    await api.app.inject(sendRequest(owner));
    const remove = () => call('DELETE', `/${owner.domainId}`, undefined, owner.organizationToken);
    assert.deepEqual(await remove(), {
      status: 409,
      body: { error: '1 message(s) of the domain are under way' },
    });
    await api.store.pool.query("update messages set state = 'delivered' where domain_id = $1", [
      owner.domainId,
    ]);
    assert.deepEqual(await remove(), { status: 200, body: { message: 'Domain deleted' } });
    assert.equal((await remove()).status, 404);
    assert.equal((await api.app.inject(sendRequest(owner))).statusCode, 400);
    const { rows } = await api.store.pool.query('select from dkim_keys where domain_id = $1', [
      owner.domainId,
    ]);
    assert.equal(rows.length, 0);
    assert.equal((await createDomain('gone.test')).dkim_selector, 'postern');
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
      assert.deepEqual(await call('PATCH', `/${id}`, { domain: { name: 'x' } }), missing);
      assert.deepEqual(await call('DELETE', `/${id}`), missing);
      assert.deepEqual(await call('POST', `/${id}/verify`), missing);
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
