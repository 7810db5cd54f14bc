import assert from 'node:assert/strict';
import { normalizeNetwork, refuseAccess } from '../../lib/access.ts';

describe('access to API tokens', () => {
  const networks: [text: string, normal: string | undefined][] = [
    ['192.0.2.7', '192.0.2.7/32'],
    [' 10.1.2.3/8 ', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:DB8::1/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['127.1', undefined],
    ['010.0.0.1', undefined],
    ['0x7f000001', undefined],
    ['10.0.0.0/33', undefined],
    ['10.0.0.0/', undefined],
    ['10.0.0.0/8/8', undefined],
    ['10.0.0.0/-1', undefined],
    ['::ffff:10.0.0.0/104', undefined],
    ['fe80::1%eth0', undefined],
    ['example.com', undefined],
    ['', undefined],
  ];
  for (const [text, normal] of networks) {
    it(`reads the network ${JSON.stringify(text)} as ${normal}`, () => {
      assert.equal(normalizeNetwork(text), normal);
    });
  }

  const anywhere = { allowedNetworks: [], expiresAt: null };
  const office = { allowedNetworks: ['192.0.2.0/24', '2001:db8::/32'], expiresAt: null };

  it('lets everybody in where no network is named', () => {
    assert.equal(refuseAccess(anywhere, '203.0.113.1'), undefined);
  });

  it('lets in the named networks only, IPv4 on a dual-stack socket as well', () => {
    for (const address of ['192.0.2.1', '::ffff:192.0.2.255', '2001:db8::1']) {
      assert.equal(refuseAccess(office, address), undefined, address);
    }
    for (const address of ['192.0.3.1', '::ffff:192.0.3.1', '2001:db9::1', '', 'nobody']) {
      assert.equal(refuseAccess(office, address), 'address_not_allowed', address);
    }
  });

  it('ends at the moment named', () => {
    const expiring = { ...office, expiresAt: '2026-01-01T00:00:00.000Z' };
    assert.equal(refuseAccess(expiring, '192.0.2.1', Date.UTC(2025, 11, 31)), undefined);
    assert.equal(refuseAccess(expiring, '192.0.2.1', Date.UTC(2026, 0, 1)), 'expired');
  });
});
