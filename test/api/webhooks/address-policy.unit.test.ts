import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { createAddressPolicy } from '../../../api/webhooks/address-policy.ts';

const options = { allowLoopback: false, deniedNetworks: [], ownAddresses: [] };

describe('api/webhooks/address-policy', () => {
  const { allows } = createAddressPolicy(options);

  for (const address of `:: ::1 ::ffff:127.0.0.1 ::ffff:a9fe:a9fe ::7f00:1 ::ffff:0:7f00:1 64:ff9b::a9fe:a9fe
    64:ff9b:1::808:808 2002:7f00:1:: 2001::1 fd00:ec2::254 fe80::1 ff02::1 2001:2::1 2001:db8::1 100::1 5f00::1
    fec0::1 3fff::1`.split(/\s+/)) {
    it(`HK-2: refuses ${address}`, () => assert.equal(allows(address), false));
  }

  for (const address of `127.0.0.1 0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 100.64.0.1
    100.100.100.200 192.0.0.1 192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255`.split(/\s+/)) {
    it(`HK-3: refuses ${address}`, () => assert.equal(allows(address), false));
  }

  for (const address of '8.8.8.8 1.1.1.1 100.128.0.1 172.32.0.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808'.split(
    ' ',
  )) {
    it(`allows ${address}`, () => assert.equal(allows(address), true));
  }

  it('HK-3: refuses the addresses of this machine, and networks that the operator names', () => {
    const own = createAddressPolicy({
      ...options,
      ownAddresses: ['93.184.216.34', '2606:2800::1'],
      deniedNetworks: ['151.101.0.0/16', '2a04:4e42::/32', '9.9.9.9'],
    });
    for (const address of '93.184.216.34 2606:2800::1 ::ffff:93.184.216.34 151.101.1.1 2a04:4e42::9 9.9.9.9'.split(
      ' ',
    )) {
      assert.equal(own.allows(address), false, address);
    }
    assert.equal(own.allows('151.102.1.1'), true);
  });

  it('knows the addresses of this machine by itself', () => {
    const policy = createAddressPolicy({ allowLoopback: false, deniedNetworks: [] });
    for (const { address } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
      assert.equal(policy.allows(address), false, address);
    }
  });

  it('opens loopback only where that is set, and nothing else with it', () => {
    const local = createAddressPolicy({ ...options, allowLoopback: true });
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
      assert.equal(local.allows(address), true, address);
    }
    for (const address of ['0.0.0.0', '::', '10.0.0.1', '169.254.169.254']) {
      assert.equal(local.allows(address), false, address);
    }
  });

  it('refuses what is no address', () => {
    for (const text of ['', 'localhost', '1.2.3.4.5', 'fe80::1%eth0x', '1.2.3.4/32']) {
      assert.equal(allows(text), false, text);
    }
  });
});
