import assert from 'node:assert/strict';
import { LRUCache } from 'lru-cache';
import { loadRules } from '../../lib/bounces/rules.ts';
import type { Delivery, DeliveryError } from '../../lib/mta-types.ts';
import { HookRefusal } from '../../lib/plugin.ts';
import type { BlockStore } from '../../lib/pools/block-store.ts';
import {
  keepToPool,
  noteReply,
  rememberPools,
  type SourceContext,
  setSource,
} from '../../plugins/source-address.ts';

const IPV4 = { address: '192.0.2.1', helo: 'out1.test' };
const IPV6 = { address: '2001:db8::1', helo: 'out6.test' };
const OTHER = { address: '192.0.2.2', helo: 'out2.test' };

function createContext(addresses = [IPV4, OTHER], blocked: string[] = []) {
  const noted: string[] = [];
  const block = (address: string) => ({
    ...{ address, site: 'a.test', strikes: 1, startedAt: 0, endsAt: 1_000, reply: '' },
  });
  const blocks = {
    blocksOf: async () => new Map(blocked.map((address) => [address, block(address)])),
    block: async (address: string, site: string) => {
      noted.push(`block ${address} ${site}`);
      return block(address);
    },
  } as Partial<BlockStore> as BlockStore;
  const pools = [{ id: 1, name: 'main', addresses }];
  const context: SourceContext = {
    findPools: async () => ({
      pools,
      assignments: [{ poolId: 1, organizationId: null, domain: null, stream: null }],
    }),
    findSite: async (domain) => domain,
    blocks,
    rules: loadRules(),
    absent: new LRUCache({ max: 10 }),
  };
  return { context, noted };
}

const newDelivery = (changes: Partial<Delivery> = {}): Delivery =>
  ({
    ...{ id: 'q', seq: '001', domain: 'a.test', recipient: 'r@a.test' },
    ...{
      postern: { messageId: 1, organizationId: 1, domain: 'shop.test' },
      claim: { id: '1', attempt: 1, expiresAt: 0, recipients: 1, source: undefined },
      zoneAddress: { address: '0.0.0.0' },
    },
    ...changes,
  }) as Delivery;

const chosen = { id: '1', attempt: 1, expiresAt: 0, recipients: 1, source: OTHER.address };

const errorOf = (text: string, more: object = {}) =>
  Object.assign(new Error(text), { response: text, ...more });

describe('setSource', () => {
  it('gives ZoneMTA one address of each family the pool has, and no other', async () => {
    const delivery = newDelivery();
    await setSource(delivery, createContext([IPV4, IPV6]).context);
    assert.equal(delivery.zoneAddress, undefined);
    assert.deepEqual(delivery.zoneAddressIPv4, { address: IPV4.address, name: IPV4.helo });
    assert.deepEqual(delivery.zoneAddressIPv6, { address: IPV6.address, name: IPV6.helo });
    assert.deepEqual(delivery.dnsOptions, { ignoreIPv6: false, preferIPv6: false });
  });

  it('keeps away from a blocked address, also when the master has chosen it', async () => {
    const delivery = newDelivery({ claim: chosen });
    await setSource(delivery, createContext([IPV4, OTHER], [OTHER.address]).context);
    assert.equal(delivery.zoneAddressIPv4?.address, IPV4.address);
  });

  it('leaves from where the master has chosen', async () => {
    const delivery = newDelivery({ claim: chosen });
    await setSource(delivery, createContext().context);
    assert.equal(delivery.zoneAddressIPv4?.address, OTHER.address);
  });

  for (const [what, addresses, blocked, reason] of [
    ['an empty pool', [], [], /main has no address$/],
    [
      'all addresses blocked',
      [IPV4],
      [IPV4.address],
      /no address that a\.test takes mail from, the first again at 1970/,
    ],
  ] as const) {
    it(`puts off with ${what} (OB-12)`, async () => {
      const { context } = createContext([...addresses], [...blocked]);
      await assert.rejects(setSource(newDelivery(), context), (error) => {
        assert.ok(error instanceof HookRefusal);
        assert.equal(error.action, 'defer');
        assert.match(error.response, reason);
        return true;
      });
    });
  }
});

describe('keepToPool', () => {
  it('refuses a host of a family that the pool has no address for', () => {
    const delivery = newDelivery({
      source: { ipv4: IPV4, ipv6: undefined, site: 'a.test', alternatives: 0 },
    });
    keepToPool(delivery, { host: '198.51.100.1' });
    assert.throws(() => keepToPool(delivery, { host: '2001:db8::25' }), HookRefusal);
    keepToPool(newDelivery(), { host: '2001:db8::25' });
  });
});

describe('noteReply', () => {
  const source = { ipv4: IPV4, ipv6: undefined, site: 'a.test', alternatives: 1 };
  const blame = errorOf('550 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org');

  it('blocks the address that is blamed, and defers the mail', async () => {
    const { context, noted } = createContext();
    const delivery = newDelivery({ source, localAddress: IPV4.address });
    const error: DeliveryError = errorOf(blame.response);
    assert.ok(await noteReply(delivery, false, error, context));
    assert.deepEqual(noted, ['block 192.0.2.1 a.test']);
    assert.deepEqual([error.action, delivery.isForAnotherAddress], ['defer', true]);
  });

  for (const [what, delivery, error, expected, pinned] of [
    [
      'an unknown recipient',
      newDelivery({ source, localAddress: IPV4.address }),
      errorOf('550 5.1.1 User unknown'),
      [],
    ],
    ['mail without a pool', newDelivery({ localAddress: IPV4.address }), blame, []],
    ['a connection that never was', newDelivery({ source }), blame, []],
    [
      'greylisting',
      newDelivery({ source, localAddress: IPV4.address }),
      errorOf('451 4.7.1 Greylisting in effect, please come back later'),
      [],
      IPV4.address,
    ],
  ] as const) {
    it(`blocks nothing for ${what}`, async () => {
      const { context, noted } = createContext();
      assert.equal(await noteReply(delivery, false, error, context), undefined);
      assert.deepEqual([noted, delivery.pinnedAddress], [expected, pinned]);
      assert.notEqual(delivery.isForAnotherAddress, true);
    });
  }

  it('leaves an address alone that the machine does not have (OB-12)', async () => {
    const { context, noted } = createContext();
    const delivery = newDelivery({ source });
    await noteReply(delivery, false, errorOf('connect failed', { code: 'EADDRNOTAVAIL' }), context);
    assert.deepEqual([context.absent.has(IPV4.address), noted], [true, []]);
    const next = newDelivery();
    await setSource(next, context);
    assert.equal(next.zoneAddressIPv4?.address, OTHER.address);
  });
});

describe('rememberPools', () => {
  const answer = (...results: object[]) => ({ call: async () => results.shift() }) as never;
  const pools = { pools: [], assignments: [] };

  it('keeps the last answer while there is none, and defers before the first', async () => {
    const find = rememberPools(answer({ ok: true, value: pools }, { ok: false, reason: 'unavailable' }));
    assert.equal(await find(), pools);
    assert.equal(await find(), pools);
    await assert.rejects(rememberPools(answer({ ok: false, reason: 'unavailable' }))(), HookRefusal);
  });
});
