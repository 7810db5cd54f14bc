import assert from 'node:assert/strict';
import { startTestDns, type TestDns } from '../support/dns.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('domains and their tokens', () => {
  let dns: TestDns;
  let api: TestApi;
  let tenant: Tenant;
  let stranger: Tenant;

  before(async () => {
    dns = await startTestDns();
    api = await startTestApi('domains', { sandbox: { dnsPort: dns.port } });
    tenant = await api.createTenant();
    stranger = await api.createTenant();
  });
  after(async () => {
    await api.close();
    await dns.close();
  });

  async function call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
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

  const verify = async (id: number) => (await call('POST', `/${id}/verify`)).body;

  async function createDomain(url: string) {
    const { status, body } = await call('POST', '', { domain: { url } });
    assert.equal(status, 201);
    return body;
  }

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

  describe('verification', () => {
    beforeEach(() => dns.clear());

    it('says what the contract says about a domain that has nothing, with a 200', async () => {
      const { id } = await createDomain('nothing.test');
      assert.deepEqual(await call('POST', `/${id}/verify`), {
        status: 200,
        body: {
          dkim_verified: false,
          advance_verified: false,
          errors: { dkim: 'No matching DKIM key found', advance_verified: 'No CNAME keys found' },
        },
      });
    });

    it('sees the key and the alias, and says what is wrong until it does', async () => {
      const { id, dkim_string } = await createDomain('verify.test');
      const key = 'postern._domainkey.verify.test';
      dns.set(key, { type: 'TXT', text: 'v=DKIM1; p=AAAA' });
      dns.set('mailer.verify.test', { type: 'CNAME', domain: 'elsewhere.test' });
      assert.deepEqual((await verify(id)).errors, {
        dkim: 'The DKIM record holds another key',
        advance_verified: 'The CNAME points to elsewhere.test',
      });
      dns.set(key, { type: 'TXT', text: dkim_string });
      dns.set('mailer.verify.test', { type: 'CNAME', domain: api.settings.mta.returnPathDomain });
      assert.deepEqual(await verify(id), { dkim_verified: true, advance_verified: true, errors: {} });
      assert.partialDeepStrictEqual((await call('GET', `/${id}`)).body, {
        dkim_verified: true,
        advanced_verified: true,
      });
    });

    it('keeps what it saw while the DNS is silent, and DKIM for ever', async () => {
      const { id, dkim_string } = await createDomain('later.test');
      dns.set('postern._domainkey.later.test', { type: 'TXT', text: dkim_string });
      dns.set('mailer.later.test', { type: 'CNAME', domain: api.settings.mta.returnPathDomain });
      await verify(id);
      dns.break('postern._domainkey.later.test', 'failed');
      dns.break('mailer.later.test', 'failed');
      assert.partialDeepStrictEqual(await verify(id), { dkim_verified: true, advance_verified: true });
      dns.clear();
      assert.partialDeepStrictEqual(await verify(id), { dkim_verified: true, advance_verified: false });
    });

    it('lists every record to publish with what the DNS says about it', async () => {
      const { id, dkim_string } = await createDomain('shop.records.test');
      dns.set('postern._domainkey.shop.records.test', { type: 'TXT', text: dkim_string });
      dns.set('_dmarc.records.test', { type: 'TXT', text: 'v=DMARC1; p=reject' });
      dns.set('shop.records.test', { type: 'MX', priority: 5, exchange: 'mx.other.test' });
      const { status, body } = await call('GET', `/${id}/dns_records`);
      assert.equal(status, 200);
      assert.deepEqual(
        body.map((record: Record<string, string>) => [
          record.purpose,
          record.type,
          record.name,
          record.status,
        ]),
        [
          ['dkim', 'TXT', 'postern._domainkey.shop.records.test', 'ok'],
          ['dkim', 'TXT', 'postern-ed._domainkey.shop.records.test', 'missing'],
          ['return_path', 'CNAME', 'mailer.shop.records.test', 'missing'],
          ['spf', 'TXT', 'mailer.shop.records.test', 'missing'],
          ['dmarc', 'TXT', '_dmarc.shop.records.test', 'ok'],
          ['inbound', 'MX', 'shop.records.test', 'different'],
        ],
      );
      assert.deepEqual(body[0].value, dkim_string);
      assert.deepEqual([body[0].required, body[1].required], [true, false]);
      assert.deepEqual(body.at(-1).found, ['5 mx.other.test']);
    });
  });

  describe('key rotation', () => {
    beforeEach(() => dns.clear());

    async function signingSelectors(name: string): Promise<string[]> {
      const response = await api.app.inject({
        url: `/rpc/v1/domains/${name}/dkim_keys`,
        headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
      });
      return response.json().keys.map(({ selector }: { selector: string }) => selector);
    }

    function publish(url: string, key: { dkim_selector: string; dkim_string: string }): void {
      dns.set(`${key.dkim_selector}._domainkey.${url}`, { type: 'TXT', text: key.dkim_string });
    }

    const insertMessages = (id: number, count: number) =>
      api.store.pool.query(
        `insert into messages (organization_id, domain_id, token_id, source, envelope_from, from_header, message_id, size_bytes)
              select $1, $2, $3, 'http', '', '', '', 0 from generate_series(1, $4)`,
        [tenant.organizationId, id, tenant.tokenId, count],
      );

    /** Of both algorithms the same, each with selectors of its own. */
    for (const [algorithm, first, next] of [
      ['rsa-sha256', 'postern', 'postern2'],
      ['ed25519-sha256', 'postern-ed', 'postern-ed2'],
    ] as const) {
      const isOfAlgorithm = (selector: string) =>
        selector.startsWith('postern-ed') === (first === 'postern-ed');

      /** A domain that signs with both, and whose next key of the algorithm is made. */
      async function prepare(url: string) {
        const { id } = await createDomain(url);
        for (const key of (await call('GET', `/${id}/dkim_keys`)).body) publish(url, key);
        await call('POST', `/${id}/verify`);
        const made = await call('POST', `/${id}/dkim_keys`, { dkim_key: { algorithm } });
        assert.equal(made.status, 201);
        return { id, made: made.body, activate: () => call('PUT', `/${id}/dkim_keys/${next}/activation`) };
      }
      const signing = async (url: string) => (await signingSelectors(url)).filter(isOfAlgorithm);

      it(`${algorithm}: switches to the second key only when the DNS has it`, async () => {
        const url = `rotate-${first}.test`;
        const { id, made, activate } = await prepare(url);
        assert.partialDeepStrictEqual(made, { dkim_selector: next, state: 'pending', algorithm });
        assert.deepEqual(await activate(), {
          status: 422,
          body: { errors: { dkim: ['No matching DKIM key found'] } },
        });
        assert.deepEqual(await signing(url), [first]);

        publish(url, made);
        assert.partialDeepStrictEqual(await activate(), { status: 200, body: { state: 'active' } });
        assert.deepEqual(await signing(url), [next]);
        assert.equal((await signingSelectors(url)).length, 2, 'the key of the other algorithm signs on');
        const { body: keys } = await call('GET', `/${id}/dkim_keys`);
        assert.deepEqual(
          keys
            .map((key: { dkim_selector: string; state: string }) => [key.dkim_selector, key.state])
            .filter(([selector = '']: string[]) => isOfAlgorithm(selector)),
          [
            [first, 'retired'],
            [next, 'active'],
          ],
        );
      });

      it(`${algorithm}: keeps a retired key until the last message that was taken before is out`, async () => {
        const url = `kept-${first}.test`;
        const { id, made, activate } = await prepare(url);
        publish(url, made);
        await insertMessages(id, 2);
        await activate();
        await insertMessages(id, 1); // signed with the new key: nothing waits for it
        const remove = () => call('DELETE', `/${id}/dkim_keys/${first}`);
        const setState = (state: string) =>
          api.store.pool.query(
            `update messages set state = $2
              where id = (select min(id) from messages where domain_id = $1 and state = 'queued')`,
            [id, state],
          );

        for (const left of [2, 1]) {
          const error = `${left} message(s) from before the key was retired are under way`;
          assert.deepEqual(await remove(), { status: 409, body: { error } });
          await setState(left === 2 ? 'delivered' : 'bounced');
        }
        assert.equal((await remove()).status, 200);
        assert.deepEqual(await signing(url), [next]);
      });
    }

    it('makes an Ed25519 key with the domain, which signs beside RSA once the DNS has it', async () => {
      const { id, dkim_string } = await createDomain('two.test');
      publish('two.test', { dkim_selector: 'postern', dkim_string });
      assert.partialDeepStrictEqual(await verify(id), { dkim_verified: true });
      assert.deepEqual(await signingSelectors('two.test'), ['postern']);
      const [, waiting] = (await call('GET', `/${id}/dkim_keys`)).body;
      assert.partialDeepStrictEqual(waiting, { dkim_selector: 'postern-ed', state: 'pending' });
      assert.match(waiting.dkim_string, /^v=DKIM1; k=ed25519; h=sha256; p=[\w+/]{43}=$/);

      publish('two.test', { ...waiting, dkim_string: waiting.dkim_string.replace(/p=./, 'p=x') });
      assert.partialDeepStrictEqual(await verify(id), { dkim_verified: true });
      assert.deepEqual(await signingSelectors('two.test'), ['postern']);
      publish('two.test', waiting);
      await verify(id);
      assert.deepEqual(await signingSelectors('two.test'), ['postern', 'postern-ed']);
      assert.equal((await call('GET', `/${id}`)).body.dkim_selector, 'postern');

      dns.clear();
      assert.partialDeepStrictEqual(await verify(id), { dkim_verified: true });
      assert.equal((await call('DELETE', `/${id}/dkim_keys/postern-ed`)).status, 200);
      assert.deepEqual(await signingSelectors('two.test'), ['postern']);
    });

    it('activates no second Ed25519 key by itself', async () => {
      const { id } = await createDomain('third.test');
      for (const key of (await call('GET', `/${id}/dkim_keys`)).body) publish('third.test', key);
      await verify(id);
      const { body: next } = await call('POST', `/${id}/dkim_keys`, {
        dkim_key: { algorithm: 'ed25519-sha256' },
      });
      publish('third.test', next);
      await verify(id);
      assert.deepEqual(await signingSelectors('third.test'), ['postern', 'postern-ed']);
    });

    it('waits for the record of the Ed25519 key again under a new name', async () => {
      const { id } = await createDomain('old-name.test');
      for (const key of (await call('GET', `/${id}/dkim_keys`)).body) publish('old-name.test', key);
      await verify(id);
      assert.deepEqual(await signingSelectors('old-name.test'), ['postern', 'postern-ed']);

      await call('PATCH', `/${id}`, { domain: { url: 'new-name.test' } });
      assert.deepEqual(await signingSelectors('new-name.test'), ['postern']);
      for (const key of (await call('GET', `/${id}/dkim_keys`)).body) publish('new-name.test', key);
      await verify(id);
      assert.deepEqual(await signingSelectors('new-name.test'), ['postern', 'postern-ed']);
    });

    it('has one key at a time on its way, and takes back what does not sign', async () => {
      const { id } = await createDomain('pending.test');
      await call('POST', `/${id}/dkim_keys`);
      assert.equal((await call('POST', `/${id}/dkim_keys`)).status, 409);
      assert.equal((await call('DELETE', `/${id}/dkim_keys/postern2`)).status, 200);
      assert.equal((await call('DELETE', `/${id}/dkim_keys/postern2`)).status, 404);
      assert.equal((await call('DELETE', `/${id}/dkim_keys/postern`)).status, 409);
      assert.equal((await call('PUT', `/${id}/dkim_keys/nobody/activation`)).status, 404);
    });
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
