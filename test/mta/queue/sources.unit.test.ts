import assert from 'node:assert/strict';
import type { AddressBlock } from '../../../lib/pools/block.ts';
import type { SendingPools } from '../../../lib/rpc/contracts/sending-pools.ts';
import type { ClaimedRow } from '../../../mta/queue/rows.ts';
import { Sources } from '../../../mta/queue/sources.ts';

const SITE = 'a.test';
const ADDRESSES = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];

const row = (changes: Partial<ClaimedRow> = {}): ClaimedRow => ({
  ...{ zone: 'default', organizationId: 1, domain: SITE, priority: 5, queueId: 'q', sequence: '001' },
  ...{ recipient: 'r@a.test', claimId: '1', messageId: 7, tags: [], attempts: 1, deferrals: 0, expiresAt: 0 },
  ...changes,
});

function poolsOf(addresses: readonly string[], changes: Partial<SendingPools['assignments'][0]> = {}) {
  return {
    pools: [{ id: 1, name: 'main', addresses: addresses.map((address) => ({ address, helo: 'out.test' })) }],
    assignments: [{ poolId: 1, organizationId: null, domain: null, stream: null, ...changes }],
  };
}

async function createSources(pools: SendingPools | undefined, blocked: string[] = []): Promise<Sources> {
  const block = (address: string): AddressBlock => ({
    ...{ address, site: SITE, strikes: 1, startedAt: 0, endsAt: 1_000, reply: '' },
  });
  const sources = new Sources({
    findPools: async () => pools,
    listBlocks: async () => blocked.map(block),
    unnamed: 'mail.test',
    now: () => 500,
  });
  await sources.refresh();
  return sources;
}

describe('queue: the addresses that a delivery may leave from', () => {
  it('are those of its pool, in an order that its message chooses', async () => {
    const sources = await createSources(poolsOf(ADDRESSES));
    assert.deepEqual([...sources.of(row(), SITE)].toSorted(), ADDRESSES);
    assert.deepEqual(sources.of(row(), SITE), sources.of(row({ recipient: 'other@a.test' }), SITE));
    const firsts = Array.from({ length: 50 }, (_, messageId) => sources.of(row({ messageId }), SITE)[0]);
    assert.equal(new Set(firsts).size, 3);
  });

  it('are those of the domain that it is signed for, and its stream', async () => {
    const sources = await createSources(poolsOf(ADDRESSES, { domain: 'shop.test', stream: 'bulk' }));
    assert.equal(sources.of(row({ senderDomain: 'shop.test', stream: 'bulk' }), SITE).length, 3);
    assert.deepEqual(sources.of(row({ senderDomain: 'shop.test' }), SITE), ['mail.test']);
  });

  it('is the unnamed one without a pool, or before the pools are known', async () => {
    assert.deepEqual((await createSources({ pools: [], assignments: [] })).of(row(), SITE), ['mail.test']);
    assert.deepEqual((await createSources(undefined)).of(row(), SITE), ['mail.test']);
  });

  it('are not those that the site has blocked, for as long as it has', async () => {
    const sources = await createSources(poolsOf(ADDRESSES), ['192.0.2.1', '192.0.2.2']);
    assert.deepEqual(sources.of(row(), SITE), ['192.0.2.3']);
    assert.equal(sources.of(row(), 'b.test').length, 3);
    assert.deepEqual(
      [...sources.countBlocks()],
      [
        ['192.0.2.1', 1],
        ['192.0.2.2', 1],
      ],
    );
    assert.deepEqual((await createSources(poolsOf(ADDRESSES.slice(0, 1)), ADDRESSES)).of(row(), SITE), []);
  });

  it('is the one that greylisting knows, unless it is blocked or gone', async () => {
    const greylisted = row({ pinnedAddress: '192.0.2.2' });
    assert.deepEqual((await createSources(poolsOf(ADDRESSES))).of(greylisted, SITE), ['192.0.2.2']);
    const blocked = await createSources(poolsOf(ADDRESSES), ['192.0.2.2']);
    assert.deepEqual([...blocked.of(greylisted, SITE)].toSorted(), ['192.0.2.1', '192.0.2.3']);
    const gone = await createSources(poolsOf(['192.0.2.3']));
    assert.deepEqual(gone.of(greylisted, SITE), ['192.0.2.3']);
  });

  it('with both families are those of IPv4', async () => {
    const sources = await createSources(poolsOf(['2001:db8::1', '192.0.2.1']));
    assert.deepEqual(sources.of(row(), SITE), ['192.0.2.1']);
  });
});
