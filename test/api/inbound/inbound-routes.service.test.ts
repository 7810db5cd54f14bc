/** Who gets the mail of an address. */
import assert from 'node:assert/strict';
import { startWebhookEndpoint } from '../../support/webhook-endpoint.ts';
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

  it('are changed: what waits goes to the new place, or is kept; the audit log says so', async () => {
    const endpoint = await startWebhookEndpoint();
    endpoint.answer = ({ path }) => ({ status: path === '/new' ? 200 : 500 });
    const url = `${endpoint.url}/old`;
    const { id } = await world.createRoute('moves@rich.test', { target: 'http', url });
    const received = await receive(world.api, 'moves@rich.test', 'Subject: 1\r\n\r\n');
    await world.reaches(received.body.ids[0], 'retrying');
    world.api.invalidated.length = 0;

    const terms = { url: `${endpoint.url}/new`, dmarc: 'mark', spam_refuse_score: 6 };
    const moved = await world.call('PATCH', `/inbound_routes/${id}`, terms);
    assert.deepEqual([moved.status, moved.body.secret], [200, null]);
    assert.deepEqual(
      [moved.body.url, moved.body.dmarc, moved.body.spam_refuse_score],
      [`${endpoint.url}/new`, 'mark', 6],
    );
    assert.ok(world.api.invalidated.includes('findInboundRecipient {"address":"moves@rich.test"}'));
    await world.api.store.pool.query(
      'update webhook_deliveries set next_attempt_at = now() where claim is null',
    );
    await world.reaches(received.body.ids[0], 'delivered');

    await world.call('PATCH', `/inbound_routes/${id}`, { url });
    const waits = await receive(world.api, 'moves@rich.test', 'Subject: 2\r\n\r\n');
    await world.reaches(waits.body.ids[0], 'retrying');
    assert.equal((await world.call('PATCH', `/inbound_routes/${id}`, { target: 'store' })).body.url, null);
    await world.reaches(waits.body.ids[0], 'stored');
    const again = await world.call('PATCH', `/inbound_routes/${id}`, { target: 'http', url });
    assert.match(again.body.secret, /^whsec_/);
    await endpoint.close();

    const { rows } = await world.api.store.pool.query(
      `select details from audit_entries where action = 'inbound_route.changed' and subject_id = $1 order by id limit 1`,
      [id],
    );
    const details = { target: 'http', destination: terms.url, dmarc: 'mark', spam_refuse_score: 6 };
    assert.deepEqual(rows, [{ details }]);
  });

  it('refuse changes that make no sense, and change nothing', async () => {
    const { id, ...route } = await world.createRoute('stays@rich.test');
    for (const [changes, field] of [
      [{ target: 'http' }, 'url'],
      [{ url: 'https://example.com/' }, 'url'],
      [{ requires_tls: false }, 'requires_tls'],
      [{ address: 'x@rich.test' }, 'address'],
      [{ target: 'smtp', url: 'smtp://a:b@127.0.0.1:2525', requires_tls: false }, 'requires_tls'],
    ] as const) {
      const { status, body } = await world.call('PATCH', `/inbound_routes/${id}`, changes);
      assert.deepEqual([status, Object.keys(body.errors)], [422, [field]], JSON.stringify(changes));
    }
    assert.equal((await world.call('PATCH', `/inbound_routes/${id}`, {})).status, 422);
    const { secret, ...unchanged } = route;
    assert.deepEqual((await world.call('GET', `/inbound_routes/${id}`)).body, { id, ...unchanged });
  });

  it('that are deleted keep what waited for them', async () => {
    const endpoint = await startWebhookEndpoint();
    endpoint.answer = () => ({ status: 500 });
    const { id } = await world.createRoute('ends@rich.test', { target: 'http', url: endpoint.url });
    const { body } = await receive(world.api, 'ends@rich.test', 'Subject: 3\r\n\r\n');
    await world.reaches(body.ids[0], 'retrying');
    await world.call('DELETE', `/inbound_routes/${id}`);
    await world.reaches(body.ids[0], 'stored');
    await endpoint.close();
  });

  for (const [name, changes, field] of [
    ['another domain', { address: 'a@example.com' }, 'address'],
    ['no address', { address: 'rich.test' }, 'address'],
    ['a pattern of stars', { address: 'a*b*c*d*e*f*g@rich.test' }, 'address'],
    ['the same address', { address: 'ann@rich.test' }, 'address'],
    ['an URL of storage', { address: 'u@rich.test', url: 'https://example.com/' }, 'url'],
    ['no URL', { address: 'u@rich.test', target: 'http' }, 'url'],
    ['a private address', { address: 'u@rich.test', target: 'http', url: 'https://10.0.0.1/' }, 'url'],
    ['no server', { address: 'u@rich.test', target: 'smtp', url: 'https://example.com/' }, 'url'],
    ['a path behind a server', { address: 'u@rich.test', target: 'smtp', url: 'smtp://127.0.0.1/x' }, 'url'],
    ['a private server', { address: 'u@rich.test', target: 'smtp', url: 'smtp://10.0.0.1' }, 'url'],
    [
      'a port of something else',
      { address: 'u@rich.test', target: 'smtp', url: 'smtp://127.0.0.1:6379' },
      'url',
    ],
    ['a user alone', { address: 'u@rich.test', target: 'http', url: 'https://me@127.0.0.1:9999/' }, 'url'],
  ] as const) {
    it(`refuses a route with ${name}`, async () => {
      const { status, body } = await world.call('POST', '/inbound_routes', { target: 'store', ...changes });
      assert.deepEqual([status, Object.keys(body.errors)], [422, [field]]);
    });
  }
});
