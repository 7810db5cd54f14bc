import assert from 'node:assert/strict';
import { choosePool, chooseSource } from '../../../lib/pools/choose.ts';
import type { PoolAssignment } from '../../../lib/rpc/contracts/sending-pools.ts';

const sender = { organizationId: 7, domain: 'shop.test', stream: 'bulk' };

describe('choosePool', () => {
  const from = (...terms: Partial<PoolAssignment>[]) => {
    const nothing = { organizationId: null, domain: null, stream: null };
    return choosePool(
      {
        pools: terms.map((_, id) => ({ id, name: `pool-${id}`, addresses: [] })),
        assignments: terms.map((one, poolId) => ({ ...nothing, ...one, poolId })),
      },
      sender,
    )?.id;
  };

  const bySpecificity: Partial<PoolAssignment>[] = [
    {},
    { stream: 'bulk' },
    { organizationId: 7 },
    { organizationId: 7, stream: 'bulk' },
    { domain: 'shop.test' },
    { domain: 'shop.test', stream: 'bulk' },
  ];
  for (let count = 1; count <= bySpecificity.length; count++) {
    it(`takes ${JSON.stringify(bySpecificity[count - 1])} before what says less`, () => {
      assert.equal(from(...bySpecificity.slice(0, count)), count - 1);
      assert.equal(from(...bySpecificity.slice(0, count).toReversed()), 0);
    });
  }

  it('leaves alone what is assigned to others', () => {
    assert.equal(
      from({ stream: 'transactional' }, { organizationId: 8 }, { domain: 'other.test' }),
      undefined,
    );
    assert.equal(from({ organizationId: 7, stream: 'transactional' }, {}), 1);
  });
});

describe('chooseSource', () => {
  const addresses = Array.from({ length: 4 }, (_, n) => ({ address: `192.0.2.${n}`, helo: `out${n}.test` }));
  const keys = Array.from({ length: 400 }, (_, n) => String(n));
  const chosen = (list: typeof addresses) => keys.map((key) => chooseSource(list, key).ipv4?.address);

  it('gives each address about its share, and each key always the same', () => {
    const counts = Map.groupBy(chosen(addresses), (address) => address);
    assert.equal(counts.size, 4);
    for (const [address, list] of counts) assert.ok(list.length > 60, `${address}: ${list.length}`);
    assert.deepEqual(chosen(addresses), chosen(addresses.toReversed()));
  });

  it('moves only the keys of an address that goes', () => {
    const before = chosen(addresses);
    const after = chosen(addresses.slice(1));
    for (const [n, address] of before.entries()) {
      if (address !== addresses[0]?.address) assert.equal(after[n], address);
    }
  });

  it('takes one of each family, and the pinned one before all', () => {
    const both = [...addresses, { address: '2001:db8::1', helo: 'six.test' }];
    for (const { address } of addresses) {
      const { ipv4, ipv6 } = chooseSource(both, 'x', address);
      assert.deepEqual([ipv4?.address, ipv6?.address], [address, '2001:db8::1']);
    }
    assert.deepEqual(chooseSource([], 'x'), { ipv4: undefined, ipv6: undefined });
    assert.notEqual(chooseSource(addresses, 'x', '192.0.2.99').ipv4, undefined);
  });
});
