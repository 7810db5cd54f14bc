/** Who gets the mail of an address. */
import assert from 'node:assert/strict';
import { type InboundWorld, receive, startInboundApi } from './support.ts';

describe('inbound routes', () => {
  let world: InboundWorld;
  before(async () => {
    world = await startInboundApi('inbound_routes');
  });
  after(() => world.close());

  it('knows the addresses of routes, postmaster and abuse, and its own; nobody else (AD-5)', async () => {
    const { id } = await world.createRoute('ann@rich.test', { dmarc: 'mark', spam_refuse_score: 7 });
    const { domainId, domain } = world.tenant;
    const found = { kind: 'route', routeId: id, domainId, domain, dmarc: 'mark', spamRefuseScore: 7 };
    assert.deepEqual(await world.lookUp('ann@rich.test'), found);
    assert.deepEqual(await world.lookUp('ann+tag@rich.test'), found);
    for (const [address, purpose] of [
      ['postmaster@rich.test', 'postmaster'],
      ['abuse@rich.test', 'abuse'],
      [`fbl@${world.api.settings.mta.returnPathDomain}`, 'feedback'],
      [`tls-reports@${world.api.settings.mta.returnPathDomain}`, 'tls_report'],
      [`dmarc-reports+x@${world.api.settings.mta.returnPathDomain}`, 'dmarc_report'],
    ] as const) {
      assert.deepEqual(await world.lookUp(address), { kind: 'system', purpose }, address);
    }
    for (const address of ['bob@rich.test', 'ann@other.test', 'postmaster@other.test', 'fbl@rich.test']) {
      assert.equal(await world.lookUp(address), undefined, address);
    }
  });

  it('forgets a route that is deleted, in every cache, and refuses its mail (422)', async () => {
    const { id } = await world.createRoute('gone@rich.test');
    world.api.invalidated.length = 0;
    assert.equal((await world.call('DELETE', `/inbound_routes/${id}`)).status, 200);
    assert.ok(world.api.invalidated.includes('findInboundRecipient {"address":"gone@rich.test"}'));
    const { status, body } = await receive(world.api, 'gone@rich.test', 'From: a@b.example\r\n\r\nx\r\n');
    assert.deepEqual([status, body.error.code], [422, 'recipients_unknown']);
    const beside = await world.createRoute('beside@rich.test');
    const to = ['gone@rich.test', 'beside@rich.test'].map((address) => ({ address, routeId: beside.id }));
    const partly = await receive(world.api, '', 'From: a@b.example\r\n\r\nx\r\n', {
      envelope: { from: 'bob@example.com', to },
    });
    assert.deepEqual([partly.body.ids.length, partly.body.unknown], [1, ['gone@rich.test']]);
  });

  it('gives no mail to a domain that nobody has verified, nor to one above a tenant of its own', async () => {
    const unverified = await world.api.createTenant({ domain: 'unverified.test', isVerified: false });
    const body = { address: '*@unverified.test', target: 'store' };
    assert.equal((await world.call('POST', '/inbound_routes', body, unverified.token)).status, 201);
    assert.equal(await world.lookUp('x@unverified.test'), undefined);

    await world.createRoute('*@sub.rich.test');
    await world.api.createTenant({ domain: 'sub.rich.test' });
    assert.equal(await world.lookUp('x@sub.rich.test'), undefined);
    const foreign = await world.call('POST', '/inbound_routes', {
      address: 'y@sub.rich.test',
      target: 'store',
    });
    assert.deepEqual(Object.keys(foreign.body.errors), ['address']);
  });

  for (const [name, changes, field] of [
    ['another domain', { address: 'a@example.com' }, 'address'],
    ['no address', { address: 'rich.test' }, 'address'],
    ['a pattern of stars', { address: 'a*b*c*d*e*f*g@rich.test' }, 'address'],
    ['the same address', { address: 'ann@rich.test' }, 'address'],
    ['an URL of storage', { address: 'u@rich.test', url: 'https://example.com/' }, 'url'],
    ['no URL', { address: 'u@rich.test', target: 'http' }, 'url'],
    ['a private address', { address: 'u@rich.test', target: 'http', url: 'https://10.0.0.1/' }, 'url'],
    ['a user alone', { address: 'u@rich.test', target: 'http', url: 'https://me@127.0.0.1:9999/' }, 'url'],
  ] as const) {
    it(`refuses a route with ${name}`, async () => {
      const { status, body } = await world.call('POST', '/inbound_routes', { target: 'store', ...changes });
      assert.deepEqual([status, Object.keys(body.errors)], [422, [field]]);
    });
  }
});
