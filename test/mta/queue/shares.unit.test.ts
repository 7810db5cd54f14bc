/** What an instance says of the limits that it shares, with an exchange that only listens. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { paceOf } from '../../../lib/sites.ts';
import { paceName } from '../../../mta/queue/destinations.ts';
import { Pacing } from '../../../mta/queue/pacing.ts';
import type { ShareExchange, ShareReply, ShareRequest } from '../../../mta/queue/share-exchange.ts';
import { Shares } from '../../../mta/queue/shares.ts';

const ADDRESS = '192.0.2.1';
const NAME = paceName(ADDRESS, 'google');

/** @param answer to each request; undefined: Redis does not answer */
function createShares(answer?: (request: ShareRequest) => ShareReply) {
  const said: ShareRequest[] = [];
  const exchange: ShareExchange = {
    open() {},
    async ready() {},
    async exchange(requests) {
      said.push(...requests);
      if (!answer) throw new Error('Redis is away');
      return { now: Date.now(), instances: 2, replies: requests.map(answer) };
    },
    close() {},
  };
  const shares = new Shares({ exchange, log: { warn() {}, info() {} }, onMore() {} });
  const pacing = new Pacing({ onChange() {}, isShared: () => shares.isTogether });
  shares.usePacing(pacing);
  return { shares, pacing, said };
}

describe('shares of an instance', () => {
  afterEach(() => mock.restoreAll());

  it('a pace that fell goes with the limit that it is now, though no delivery has asked since', async () => {
    const { shares, pacing, said } = createShares(() => ({ slots: 1, version: 1, accepted: true }));
    shares.blockageOf(NAME, pacing.limitOf(ADDRESS, 'google'), Date.now());
    await shares.exchange();
    const verdict = { class: 'reputation-ip', action: 'slow-down' };
    pacing.noteEnding({ source: ADDRESS, site: 'google', verdict }, 0);

    await shares.exchange();

    const { rate, concurrency, pace } = said.at(-1) ?? assert.fail();
    const { rate: proposed } = JSON.parse(pace ?? assert.fail());
    assert.deepEqual([rate, concurrency], [proposed, Math.floor(paceOf('google').concurrency.start / 2)]);
    assert.equal(rate, paceOf('google').rate.start / 2);
  });

  it('what it was allowed and has no mail for it gives up, and says that it has', async () => {
    const { shares, said } = createShares(({ wantsSlots }) => ({ slots: wantsSlots ? 1 : 0 }));
    shares.blockageOf('limit default one.test', { connections: 1 }, Date.now());
    await shares.exchange();
    const later = performance.now() + 2_000;
    mock.method(performance, 'now', () => later);

    for (let round = 0; round < 5; round++) await shares.exchange();

    assert.deepEqual(
      said.map(({ wantsSlots }) => wantsSlots),
      [true, false, false],
    );
  });

  it('without Redis, only limits that still hold mail back are remembered', async () => {
    const { shares, said } = createShares();
    const slow = { connections: 1, ratePerSecond: 0.0001 };
    shares.blockageOf('limit default unused.test', slow, Date.now());
    await shares.exchange();
    shares.start('limit default used.test', slow, Date.now());
    shares.end('limit default used.test');
    shares.start('limit default under-way.test', { connections: 1 }, Date.now());
    const later = performance.now() + 2_000;
    mock.method(performance, 'now', () => later);
    await shares.exchange();
    said.length = 0;

    await shares.exchange();

    assert.deepEqual(
      said.map(({ name }) => name),
      ['limit default used.test', 'limit default under-way.test'],
    );
  });
});
