import assert from 'node:assert/strict';
import { createResolver } from '../../inbound/resolver.ts';
import { startTestDns, type TestDns } from '../support/dns.ts';

describe('the resolver of the inbound server', () => {
  let dns: TestDns;
  before(async () => {
    dns = await startTestDns();
  });
  beforeEach(() => dns.clear());
  after(() => dns.close());

  const create = () => createResolver([`127.0.0.1:${dns.port}`]);

  it('remembers an answer, in any case of the name, and that there is none', async () => {
    const { resolve } = create();
    dns.set('a.test', { type: 'TXT', text: 'one' });
    assert.deepEqual(await resolve('a.test', 'TXT'), [['one']]);
    await assert.rejects(resolve('b.test', 'TXT'), { code: 'ENOTFOUND' });
    await assert.rejects(resolve('a.test', 'MX'), { code: 'ENODATA' });
    dns.set('a.test', { type: 'TXT', text: 'two' }, { type: 'MX', priority: 1, exchange: 'mx.test' });
    dns.set('b.test', { type: 'TXT', text: 'two' });

    assert.deepEqual(await resolve('A.test', 'TXT'), [['one']]);
    await assert.rejects(resolve('b.test', 'TXT'), { code: 'ENOTFOUND' });
    await assert.rejects(resolve('a.test', 'MX'), { code: 'ENODATA' });
  });

  it('does not remember a failure', async () => {
    const { resolve } = create();
    dns.break('a.test', 'failed');
    await assert.rejects(resolve('a.test', 'TXT'), { code: 'ESERVFAIL' });
    dns.set('a.test', { type: 'TXT', text: 'well again' });
    assert.deepEqual(await resolve('a.test', 'TXT'), [['well again']]);
  });

  it('believes the name of a client that leads back to it, and remembers it', async () => {
    const { findClientName } = create();
    dns.set('1.2.0.192.in-addr.arpa', { type: 'PTR', domain: 'mx.test' });
    dns.set('mx.test', { type: 'A', address: '192.0.2.1' });
    dns.set('2.2.0.192.in-addr.arpa', { type: 'PTR', domain: 'mx.test' });
    assert.equal(await findClientName('192.0.2.1'), 'mx.test');
    assert.equal(await findClientName('192.0.2.2'), undefined);
    dns.clear();
    assert.equal(await findClientName('192.0.2.1'), 'mx.test');
    assert.equal(await findClientName('192.0.2.2'), undefined);
  });
});
