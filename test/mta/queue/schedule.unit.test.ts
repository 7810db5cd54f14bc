import assert from 'node:assert/strict';
import fc from 'fast-check';
import { nextAttemptAt } from '../../../mta/queue/schedule.ts';

const MINUTE = 60_000;

describe('retry schedule', () => {
  it('takes the delays in order and repeats the last', () => {
    const waits = [0, 1, 2, 9].map((deferrals) =>
      nextAttemptAt(
        { deferrals, expiresAt: Number.MAX_SAFE_INTEGER, now: 0 },
        [60, 300, 600],
        () => 0,
      )?.getTime(),
    );

    assert.deepEqual(waits, [1 * MINUTE, 5 * MINUTE, 10 * MINUTE, 10 * MINUTE]);
  });

  it('ends where the next attempt would come after the expiry', () => {
    assert.equal(
      nextAttemptAt({ deferrals: 0, expiresAt: MINUTE, now: 0 }, [60], () => 0),
      undefined,
    );
  });

  it('spreads attempts by at most a tenth, never before the delay', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
        const next = nextAttemptAt({ deferrals: 0, expiresAt: 1e12, now: 0 }, [60], () => random);
        assert.ok(next && next.getTime() >= MINUTE && next.getTime() <= 1.1 * MINUTE + 1);
      }),
    );
  });
});
