import assert from 'node:assert/strict';
import { paceOf } from '../../../lib/sites.ts';
import { Destinations, paceName } from '../../../mta/queue/destinations.ts';
import { type Agreement, type PaceChange, Pacing } from '../../../mta/queue/pacing.ts';

const limited = { class: 'rate-limited', action: 'slow-down' } as const;
const google = paceOf('google');
const ADDRESS = '192.0.2.1';
const NAME = paceName(ADDRESS, 'google');

function createPacing({ isShared = false } = {}) {
  const clock = { now: 1_000_000 };
  const changes: PaceChange[] = [];
  const pacing = new Pacing({
    onChange: (change) => changes.push(change),
    isShared: () => isShared,
    now: () => clock.now,
  });
  const destinations = new Destinations(() => undefined, { paces: pacing });
  destinations.setSite('a.test', 'google');
  return { clock, changes, pacing, destinations };
}

const refuse = (pacing: Pacing, site = 'google', tookMs = 0) =>
  pacing.noteEnding({ source: ADDRESS, site, verdict: limited }, tookMs);
const rateOf = (pacing: Pacing, address = ADDRESS, site = 'google') =>
  pacing.limitOf(address, site).ratePerSecond;

describe('queue: pacing of addresses at sites', () => {
  it('begins at the rule of the site', () => {
    const { pacing } = createPacing();
    assert.deepEqual(pacing.limitOf(ADDRESS, 'google'), {
      connections: google.concurrency.start,
      ratePerSecond: google.rate.start,
    });
  });

  it('lowers an address at a site that refuses it, tells why, and leaves other sites and addresses alone', () => {
    const { changes, pacing } = createPacing();
    refuse(pacing);
    const { address, site, trigger } = changes[0] ?? assert.fail();
    assert.deepEqual([address, site, trigger], [ADDRESS, 'google', 'rate-limited']);
    assert.equal(rateOf(pacing), google.rate.start * 0.9);
    assert.equal(rateOf(pacing, '192.0.2.2'), google.rate.start);
    assert.equal(rateOf(pacing, ADDRESS, 'yahoo'), paceOf('yahoo').rate.start);
  });

  it('raises the deliveries at a time once those held mail back in a clean window, and only those', () => {
    const { clock, pacing, destinations } = createPacing();
    for (let count = 0; count < google.concurrency.start; count++) {
      assert.equal(destinations.pacedUntil('a.test', ADDRESS, clock.now), undefined);
      destinations.start('default', 'a.test', clock.now, ADDRESS);
      clock.now += 1_000;
    }
    assert.equal(destinations.pacedUntil('a.test', ADDRESS, clock.now), Number.POSITIVE_INFINITY);
    assert.equal(destinations.pacedUntil('a.test', '192.0.2.2', clock.now), undefined);
    clock.now += 10_000;
    assert.equal(pacing.tick(), true);
    const limit = pacing.limitOf(ADDRESS, 'google');
    assert.equal(limit.connections, google.concurrency.start + google.concurrency.start / 10);
    assert.equal(limit.ratePerSecond, google.rate.start);
  });

  it('begins anew where nothing was sent for an hour', () => {
    const { clock, pacing } = createPacing();
    refuse(pacing);
    clock.now += 3_600_001;
    pacing.tick();
    assert.equal(rateOf(pacing), google.rate.start);
  });

  it('gives way to what an operator has set for the site', () => {
    const { pacing } = createPacing();
    const destinations = new Destinations(
      (name) => (name === 'site:google' ? { connections: 1 } : undefined),
      {
        paces: pacing,
      },
    );
    destinations.setSite('a.test', 'google');
    assert.equal(destinations.pacedUntil('a.test', ADDRESS, 0), undefined);
    destinations.start('default', 'a.test', 0, ADDRESS);
    assert.equal(destinations.blockedUntil('default', 'a.test', 0), Number.POSITIVE_INFINITY);
    assert.deepEqual(pacing.list(), []);
  });
});

describe('queue: paces that instances agree on', () => {
  /** What Redis does (share-out.lua), for one pace. */
  function createAgreement() {
    let held: { version: number; pace: unknown } = { version: 0, pace: undefined };
    return (pacing: Pacing): boolean => {
      const { version, pace } = pacing.propose(NAME) ?? assert.fail();
      const isAccepted = pace !== undefined && version === held.version;
      if (isAccepted) held = { version: held.version + 1, pace: structuredClone(pace) };
      return pacing.agree(NAME, { ...held, isAccepted } satisfies Agreement);
    };
  }

  function createTwo() {
    const [one, other] = [createPacing({ isShared: true }), createPacing({ isShared: true })];
    const agree = createAgreement();
    for (const { pacing } of [one, other]) {
      pacing.limitOf(ADDRESS, 'google');
      agree(pacing);
    }
    return { one, other, agree };
  }

  it('what one was refused slows the others, and is told by the one alone', () => {
    const { one, other, agree } = createTwo();
    refuse(one.pacing);
    assert.deepEqual(one.changes, []);
    agree(one.pacing);
    assert.equal(agree(other.pacing), true);
    assert.equal(rateOf(other.pacing), google.rate.start * 0.9);
    assert.deepEqual([one.changes.length, other.changes.length], [1, 0]);
  });

  it('two that are refused at once fall once', () => {
    const { one, other, agree } = createTwo();
    other.clock.now += 10;
    refuse(one.pacing);
    refuse(other.pacing, 'google', 20); // begun before the first had fallen
    agree(one.pacing);
    agree(other.pacing);
    agree(one.pacing);
    assert.equal(rateOf(one.pacing), google.rate.start * 0.9);
    assert.equal(rateOf(other.pacing), google.rate.start * 0.9);
    assert.deepEqual([one.changes.length, other.changes.length], [1, 0]);
  });

  it('a refusal of what began after the fall of another falls further', () => {
    const { one, other, agree } = createTwo();
    refuse(one.pacing);
    other.clock.now += 5_000;
    refuse(other.pacing);
    agree(one.pacing);
    agree(other.pacing);
    agree(other.pacing);
    agree(one.pacing);
    assert.ok(Math.abs((rateOf(one.pacing) ?? 0) - google.rate.start * 0.9 * 0.8) < 1e-9);
    assert.deepEqual([one.changes.length, other.changes.length], [1, 1]);
  });

  it('a pace that was lowered while nobody could be asked is told when somebody can be', () => {
    const agree = createAgreement();
    const alone = createPacing();
    alone.pacing.limitOf(ADDRESS, 'google');
    agree(alone.pacing);
    refuse(alone.pacing);
    assert.equal(alone.changes.length, 1);
    agree(alone.pacing);
    const other = createPacing({ isShared: true });
    other.pacing.limitOf(ADDRESS, 'google');
    agree(other.pacing);
    assert.equal(rateOf(other.pacing), google.rate.start * 0.9);
    assert.equal(alone.changes.length, 1);
  });

  it('leaves the rise to the instance whose mail was held back', () => {
    const { one, other, agree } = createTwo();
    other.pacing.noteBlocked(ADDRESS, 'google', 'rate');
    for (const { clock } of [one, other]) clock.now += 11_000;
    assert.deepEqual([one.pacing.tick(), other.pacing.tick()], [false, true]);
    agree(one.pacing);
    agree(other.pacing);
    agree(one.pacing);
    assert.equal(rateOf(one.pacing), google.rate.start * 1.1);
  });

  it('what it cannot read it does not follow', () => {
    const { one } = createTwo();
    one.pacing.propose(NAME);
    one.pacing.agree(NAME, { version: 7, isAccepted: false, pace: { rate: 'fast' } });
    assert.equal(rateOf(one.pacing), google.rate.start);
  });
});
