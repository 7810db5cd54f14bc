/** Limits that instances keep to together: two of them, with a Redis that goes and comes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { createLogger } from '../../../lib/log.ts';
import { paceOf } from '../../../lib/sites.ts';
import { paceName } from '../../../mta/queue/destinations.ts';
import type { Limit } from '../../../mta/queue/limit-keeper.ts';
import { Pacing } from '../../../mta/queue/pacing.ts';
import { createShareExchange } from '../../../mta/queue/share-exchange.ts';
import { Shares } from '../../../mta/queue/shares.ts';
import { waitFor } from '../../support/mail.ts';
import { type OwnRedis, startOwnRedis } from '../../support/own-redis.ts';

const NAME = 'limit default site:a.test';

describe('limits that instances keep to together', () => {
  let redis: OwnRedis;
  let queueId = '';
  let instances: Shares[] = [];
  before(async () => {
    redis = await startOwnRedis();
  });
  after(() => redis.stop());
  beforeEach(() => {
    queueId = randomBytes(6).toString('hex');
  });
  afterEach(() => {
    for (const instance of instances) instance.close();
    instances = [];
  });

  /** Asks when it is told to, and when it is new to a limit; without a timer. */
  async function createInstance(instanceId: string): Promise<Shares> {
    const exchange = createShareExchange({ redisUrl: redis.url, instanceId });
    exchange.open(queueId);
    await exchange.ready(5_000);
    const shares = new Shares({
      exchange,
      log: createLogger('test', { level: 'silent' }),
      onMore: () => {},
    });
    await shares.exchange();
    instances.push(shares);
    return shares;
  }

  /** Starts what may be started, asking twice in between: the first may be under way already. @returns how many */
  async function startAll(shares: Shares, limit: Limit, name = NAME): Promise<number> {
    let started = 0;
    for (const round of [1, 2, 3]) {
      while (!shares.blockageOf(name, limit, Date.now())) {
        shares.start(name, limit, Date.now());
        started++;
      }
      if (round === 3) break;
      await setImmediate();
      await shares.exchange();
    }
    return started;
  }

  /** What is under way may have left too early to say what was asked for. */
  async function ask(shares: Shares): Promise<void> {
    await setImmediate();
    await shares.exchange();
    await shares.exchange();
  }

  function endAll(shares: Shares, count: number): void {
    for (let ended = 0; ended < count; ended++) shares.end(NAME);
  }

  it('deliveries at a time are shared out among those that have mail', async () => {
    const [one, other] = [await createInstance('one'), await createInstance('other')];
    const limit = { connections: 5 };
    assert.equal(await startAll(one, limit), 5);
    assert.equal(await startAll(other, limit), 0);

    const most = { one: 0, other: 0 };
    let [ofOne, ofOther] = [5, 0];
    for (let round = 0; round < 8; round++) {
      endAll(one, ofOne);
      ofOne = await startAll(one, limit);
      assert.ok(ofOne + ofOther <= 5, `${ofOne} + ${ofOther} at a time`);
      endAll(other, ofOther);
      ofOther = await startAll(other, limit);
      assert.ok(ofOne + ofOther <= 5, `${ofOne} + ${ofOther} at a time`);
      most.one = Math.max(most.one, round > 4 ? ofOne : 0);
      most.other = Math.max(most.other, ofOther);
    }
    assert.ok(most.one >= 2 && most.other >= 2, JSON.stringify(most));
  });

  it('a limit of one goes round', async () => {
    const shares = [await createInstance('one'), await createInstance('two'), await createInstance('three')];
    const had = [0, 0, 0];
    for (let round = 0; round < 20; round++) {
      for (const [index, instance] of shares.entries()) {
        const started = await startAll(instance, { connections: 1 });
        assert.ok(started <= 1);
        had[index] = (had[index] ?? 0) + started;
        endAll(instance, started);
      }
    }
    assert.ok(Math.min(...had) >= 2, had.join(', '));
  });

  it('a token is for one of them, and goes back when it is not used', async () => {
    const [one, other] = [await createInstance('one'), await createInstance('other')];
    const limit = { connections: 10, ratePerSecond: 0.001 };
    assert.ok(one.blockageOf(NAME, limit, Date.now()));
    await ask(one);
    assert.equal(await startAll(other, limit), 0);

    await waitFor('the token of the one', async () => {
      await one.exchange();
      await other.exchange();
      return (await startAll(other, limit)) === 1 || undefined;
    });
    assert.equal(await startAll(one, limit), 0);
  });

  it('what a dead instance had is free again', async function () {
    this.timeout(20_000);
    const [one, other] = [await createInstance('one'), await createInstance('other')];
    const limit = { connections: 2 };
    assert.equal(await startAll(one, limit), 2);
    await waitFor(
      'its deliveries at a time',
      async () => (await startAll(other, limit)) > 0 || undefined,
      15_000,
    );
  });

  it('without Redis each keeps to its part, and they are together again when it is back', async () => {
    const [one, other] = [await createInstance('one'), await createInstance('other')];
    const limit = { connections: 4, ratePerSecond: 0.001 };
    await one.exchange();
    assert.equal(one.instances, 2);
    await redis.kill();
    await one.exchange();
    assert.equal(one.isTogether, false);
    assert.equal(await startAll(one, { connections: 4 }, 'limit default site:b.test'), 2);
    assert.equal(await startAll(one, limit), 1);

    await redis.restart();
    await waitFor('Redis', async () => {
      await Promise.all([one.exchange(), other.exchange()]);
      return (one.isTogether && other.isTogether) || undefined;
    });
    assert.equal(await startAll(one, { connections: 4 }), 3);
  });

  it('a fall of one is the pace of the other', async () => {
    const shares = [await createInstance('one'), await createInstance('other')];
    const changes: string[] = [];
    const paces = shares.map((instance, index) => {
      const pacing = new Pacing({
        onChange: ({ trigger }) => changes.push(`${index} ${trigger}`),
        isShared: () => instance.isTogether,
        now: instance.now,
      });
      instance.usePacing(pacing);
      return pacing;
    });
    const name = paceName('192.0.2.1', 'google');
    for (const [index, instance] of shares.entries()) {
      const limit = paces[index]?.limitOf('192.0.2.1', 'google') ?? assert.fail();
      instance.blockageOf(name, limit, Date.now());
      await ask(instance);
    }
    const verdict = { class: 'rate-limited', action: 'slow-down' };
    paces[0]?.noteEnding({ source: '192.0.2.1', site: 'google', verdict }, 0);
    await ask(shares[0] ?? assert.fail());
    await ask(shares[1] ?? assert.fail());

    const rates = paces.map((pacing) => pacing.limitOf('192.0.2.1', 'google').ratePerSecond);
    assert.deepEqual(rates, [paceOf('google').rate.start * 0.9, paceOf('google').rate.start * 0.9]);
    assert.deepEqual(changes, ['0 rate-limited']);
  });
});
