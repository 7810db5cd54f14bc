import assert from 'node:assert/strict';
import { type DomainWorld, startDomainWorld } from './domain-world.ts';

describe('the verification of a domain', () => {
  let world: DomainWorld;
  let api: DomainWorld['api'];
  let dns: DomainWorld['dns'];
  let call: DomainWorld['call'];
  let createDomain: DomainWorld['createDomain'];
  let verify: DomainWorld['verify'];

  before(async () => {
    world = await startDomainWorld('verification');
    ({ api, dns, call, createDomain, verify } = world);
  });
  beforeEach(() => dns.clear());
  after(() => world.close());

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
      body.map((record: Record<string, string>) => [record.purpose, record.type, record.name, record.status]),
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
