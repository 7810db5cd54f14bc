import assert from 'node:assert/strict';
import { paceOf } from '../../../lib/sites.ts';
import { Destinations } from '../../../mta/queue/destinations.ts';
import { type PaceChange, Pacing } from '../../../mta/queue/pacing.ts';

const limited = { class: 'rate-limited', action: 'slow-down' } as const;
const google = paceOf('google');

function createPacing() {
  const clock = { now: 1_000_000 };
  const changes: PaceChange[] = [];
  const pacing = new Pacing(
    (change) => changes.push(change),
    () => clock.now,
  );
  const destinations = new Destinations(
    (destination) => pacing.limitOf(destination),
    undefined,
    (destination, by) => pacing.noteBlocked(destination, by),
  );
  destinations.setSite('a.test', 'google');
  return { clock, changes, pacing, destinations };
}

describe('queue: pacing of sites', () => {
  it('begins at the rule of the site, and leaves domains alone', () => {
    const { pacing } = createPacing();
    assert.deepEqual(pacing.limitOf('site:google'), {
      connections: google.concurrency.start,
      ratePerSecond: google.rate.start,
    });
    assert.equal(pacing.limitOf('a.test'), undefined);
  });

  it('lowers a site that is refused, tells why, and leaves other sites alone', () => {
    const { clock, changes, pacing } = createPacing();
    pacing.noteEnding({ site: 'google', verdict: limited }, clock.now);
    assert.equal(changes[0]?.trigger, 'rate-limited');
    assert.equal(pacing.limitOf('site:google')?.ratePerSecond, google.rate.start * 0.9);
    assert.equal(pacing.limitOf('site:yahoo')?.ratePerSecond, paceOf('yahoo').rate.start);
  });

  it('raises the deliveries at a time once those held mail back in a clean window, and only those', () => {
    const { clock, pacing, destinations } = createPacing();
    for (let count = 0; count < google.concurrency.start; count++) {
      assert.equal(destinations.blockedUntil('default', 'a.test', clock.now), undefined);
      destinations.start('default', 'a.test', clock.now);
      clock.now += 1_000;
    }
    assert.equal(destinations.blockedUntil('default', 'a.test', clock.now), Number.POSITIVE_INFINITY);
    clock.now += 10_000;
    assert.equal(pacing.tick(), true);
    const limit = pacing.limitOf('site:google');
    assert.equal(limit?.connections, google.concurrency.start + google.concurrency.start / 10);
    assert.equal(limit?.ratePerSecond, google.rate.start);
  });

  it('begins anew at a site that was not used for an hour', () => {
    const { clock, pacing } = createPacing();
    pacing.noteEnding({ site: 'google', verdict: limited }, clock.now);
    clock.now += 3_600_001;
    pacing.tick();
    assert.equal(pacing.limitOf('site:google')?.ratePerSecond, google.rate.start);
  });
});
