import assert from 'node:assert/strict';
import fc from 'fast-check';
import { advance, allowance, isWarm, startWarmUp, type WarmUp } from '../../../lib/pacing/warm-up.ts';

const DAY_MS = 86_400_000;
const fresh = startWarmUp(0);

describe('pacing: warm-up', () => {
  it('allows the first step on the first day, less what was sent', () => {
    assert.equal(allowance(fresh, 0), 50);
    assert.equal(allowance({ ...fresh, attempts: 48 }, DAY_MS - 1), 2);
    assert.equal(allowance({ ...fresh, attempts: 60 }, 0), 0);
  });

  for (const [what, counts, expected] of [
    ['the next step after a good day', { attempts: 50 }, 100],
    ['the same after a day with little mail', { attempts: 10 }, 50],
    ['the same after a day with many deferrals', { attempts: 50, deferrals: 10 }, 50],
    ['the same after a day without mail', {}, 50],
  ] as const) {
    it(`allows ${what}`, () => {
      assert.equal(allowance({ ...fresh, ...counts }, DAY_MS), expected);
    });
  }

  it('goes back a step after complaints', () => {
    const state = { ...fresh, step: 3, attempts: 500, complaints: 3 };
    assert.equal(advance(state, DAY_MS).step, 2);
  });

  it('is over after the last step', () => {
    let state: WarmUp = fresh;
    for (let day = 1; !isWarm(state); day++) {
      assert.ok(day < 30);
      state = advance({ ...state, attempts: allowance(state, state.day * DAY_MS) }, day * DAY_MS);
    }
    assert.equal(allowance(state, 0), Number.POSITIVE_INFINITY);
  });

  it('never allows a negative number, and nothing by a clock that is set back', () => {
    const count = fc.nat({ max: 200_000 });
    fc.assert(
      fc.property(
        fc.nat({ max: 11 }),
        count,
        count,
        count,
        fc.nat(),
        (step, attempts, deferrals, complaints, back) => {
          const state = { step, day: 100_000, attempts, deferrals, complaints };
          assert.ok(allowance(state, 100_001 * DAY_MS) >= 0);
          assert.deepEqual(advance(state, 100_000 * DAY_MS - back), state);
        },
      ),
    );
  });
});
