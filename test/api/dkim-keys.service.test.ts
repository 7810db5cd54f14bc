import assert from 'node:assert/strict';
import { type DomainWorld, startDomainWorld } from './domain-world.ts';

describe('the DKIM keys of a domain', () => {
  let world: DomainWorld;
  let api: DomainWorld['api'];
  let dns: DomainWorld['dns'];
  let tenant: DomainWorld['tenant'];
  let call: DomainWorld['call'];
  let createDomain: DomainWorld['createDomain'];
  let verify: DomainWorld['verify'];

  before(async () => {
    world = await startDomainWorld('dkim_keys');
    ({ api, dns, tenant, call, createDomain, verify } = world);
  });
  beforeEach(() => dns.clear());
  after(() => world.close());

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
