import assert from 'node:assert/strict';
import { createResolver } from '../../sandbox/resolver.ts';
import { createZone, type ZoneAnswer } from '../../sandbox/zone.ts';
import { findDkimRecord } from './support.ts';

describe('the zone of the sandbox', () => {
  const zone = createZone({
    hostname: 'postern.test',
    address: '127.0.0.1',
    findDkimRecord,
    tls: { policyPort: 3006, tlsa: Buffer.from('030101aa', 'hex') },
  });
  const empty: ZoneAnswer = { status: 'found', records: [] };

  it('has an MX, an address and an SPF record for every name', async () => {
    assert.deepEqual(await zone.answer('Example.TEST.', 'MX'), {
      status: 'found',
      records: [{ type: 'MX', priority: 10, exchange: 'mx.example.test' }],
    });
    assert.deepEqual(await zone.answer('mx.example.test', 'A'), {
      status: 'found',
      records: [{ type: 'A', address: '127.0.0.1' }],
    });
    assert.deepEqual(await zone.answer('example.test', 'TXT'), {
      status: 'found',
      records: [{ type: 'TXT', text: 'v=spf1 ip4:127.0.0.0/8 ip6:::1 -all' }],
    });
    assert.deepEqual(await zone.answer('example.test', 'AAAA'), empty);
    assert.deepEqual(await zone.answer('_dmarc.example.test', 'TXT'), {
      status: 'found',
      records: [{ type: 'TXT', text: 'v=DMARC1; p=none' }],
    });
  });

  it('gives a domain too long for an MX below it an MX of its own name', async () => {
    const domain = `${'a.'.repeat(122)}test`;
    assert.deepEqual(await zone.answer(domain, 'MX'), {
      status: 'found',
      records: [{ type: 'MX', priority: 10, exchange: domain }],
    });
  });

  it('asks for DKIM records, and tells "there is none" from "not now"', async () => {
    const found = await zone.answer('s1._domainkey.sender.test', 'TXT');
    assert.match(JSON.stringify(found), /"found".*v=DKIM1; k=rsa; p=/);
    assert.deepEqual(await zone.answer('s2._domainkey.sender.test', 'TXT'), { status: 'not_found' });
    assert.deepEqual(await zone.answer('down._domainkey.sender.test', 'TXT'), { status: 'failed' });
  });

  it('publishes nothing else below an underscore, and lists nobody on a blocklist', async () => {
    const names = [
      '_mta-sts.a.test',
      '_smtp._tls.a.test',
      '_25._tcp.mx.a.test',
      'default._bimi.a.test',
      '_dmarc.test',
    ];
    for (const name of [...names, '1.0.0.127.zen.spamhaus.org', '1.2.3.4.in-addr.arpa']) {
      assert.deepEqual(await zone.answer(name, 'TXT'), { status: 'not_found' }, name);
    }
  });

  it('resolves 127.0.0.0/8 back to the sending host', async () => {
    assert.deepEqual(await zone.answer('2.0.0.127.in-addr.arpa', 'PTR'), {
      status: 'found',
      records: [{ type: 'PTR', domain: 'postern.test' }],
    });
  });

  it('behaves differently for the special domains', async () => {
    assert.deepEqual(await zone.answer('a.nxdomain.test', 'MX'), { status: 'not_found' });
    assert.deepEqual(await zone.answer('servfail.test', 'MX'), { status: 'failed' });
    assert.deepEqual(await zone.answer('timeout.test', 'MX'), { status: 'silent' });
    assert.deepEqual(await zone.answer('nomx.test', 'MX'), empty);
    assert.deepEqual(await zone.answer('nullmx.test', 'MX'), {
      status: 'found',
      records: [{ type: 'MX', priority: 0, exchange: '' }],
    });
    assert.deepEqual(await zone.answer('mx.tls-broken.test', 'A'), {
      status: 'found',
      records: [{ type: 'A', address: '127.0.0.2' }],
    });
    assert.deepEqual(await zone.answer('fallback.test', 'MX'), {
      status: 'found',
      records: [
        { type: 'MX', priority: 10, exchange: 'mx.refused.fallback.test' },
        { type: 'MX', priority: 20, exchange: 'mx.fallback.test' },
      ],
    });
  });

  it('has records of TLS where a label says so, secure where there are TLSA records', async () => {
    assert.deepEqual(await zone.answer('_mta-sts.a.mta-sts-enforce.test', 'TXT'), {
      status: 'found',
      records: [{ type: 'TXT', text: 'v=STSv1; id=sandbox1;' }],
    });
    assert.deepEqual(await zone.answer('_smtp._tls.tls-reports.test', 'TXT'), {
      status: 'found',
      records: [
        {
          type: 'TXT',
          text: 'v=TLSRPTv1; rua=mailto:tls-reports@tls-reports.test,https://mta-sts.tls-reports.test:3006/tls-reports',
        },
      ],
    });
    assert.deepEqual(await zone.answer('_25._tcp.mx.dane.test', 'TLSA'), {
      status: 'found',
      records: [{ type: 'TLSA', data: Buffer.from('030101aa', 'hex') }],
      isSecure: true,
    });
    assert.deepEqual(await zone.answer('_25._tcp.mx.dane-failed.test', 'TLSA'), { status: 'failed' });
    assert.deepEqual(await zone.answer('_mta-sts.dane.test', 'TXT'), { status: 'not_found', isSecure: true });
  });

  it('adds labels up, and leaves policy hosts their address', async () => {
    const name = 'no-tls.mta-sts-enforce.test';
    const addressOf = async (host: string) => createResolver(zone)(host, 'A');
    assert.deepEqual(await addressOf(`mx.${name}`), ['127.0.0.3']);
    assert.deepEqual(await addressOf(`mta-sts.${name}`), ['127.0.0.1']);
    assert.deepEqual(await addressOf('mx.no-tls.tls-broken.test'), ['127.0.0.3']);
  });

  it('takes labels that are names of object properties for ordinary ones', async () => {
    for (const name of ['constructor.test', '__proto__x.test', 'tostring.test']) {
      assert.notEqual((await zone.answer(name, 'A')).status, 'failed', name);
    }
  });

  it('gives callers in the process the errors of node:dns', async () => {
    const resolve = createResolver(zone);
    assert.deepEqual(await resolve('a.test', 'TXT'), [['v=spf1 ip4:127.0.0.0/8 ip6:::1 -all']]);
    assert.deepEqual(await resolve('a.test', 'A'), ['127.0.0.1']);
    await assert.rejects(resolve('nxdomain.test', 'A'), { code: 'ENOTFOUND' });
    await assert.rejects(resolve('a.test', 'AAAA'), { code: 'ENODATA' });
    await assert.rejects(resolve('servfail.test', 'A'), { code: 'ESERVFAIL' });
    await assert.rejects(resolve('timeout.test', 'A'), { code: 'ETIMEOUT' });
  });
});
