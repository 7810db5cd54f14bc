import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Bound, fall, type Pace, rise, startPace } from '../../../lib/pacing/controller.ts';
import type { PaceRule } from '../../../lib/sites.ts';

const rule: PaceRule = {
  concurrency: { start: 10, floor: 1, ceiling: 40 },
  rate: { start: 20, floor: 0.5, ceiling: 100 },
};
const limited = { class: 'rate-limited', action: 'slow-down' } as const;
const both: Bound = { concurrency: true, rate: true };
const rateOnly: Bound = { concurrency: false, rate: true };

describe('pacing: the controller', () => {
  it('lowers by a tenth what held mail back when a reply asks for less', () => {
    const change = fall(startPace(rule, 0), rule, {
      verdict: limited,
      startedAt: 1,
      bound: rateOnly,
      now: 5,
    });
    assert.equal(change?.trigger, 'rate-limited');
    assert.equal(change?.pace.rate, 18);
    assert.equal(change?.pace.concurrency, 10);
  });

  it('lowers both where neither held mail back', () => {
    const bound = { concurrency: false, rate: false };
    const change = fall(startPace(rule, 0), rule, { verdict: limited, startedAt: 1, bound, now: 5 });
    assert.deepEqual([change?.pace.rate, change?.pace.concurrency], [18, 9]);
  });

  it('falls faster when it is refused again', () => {
    const rates: number[] = [];
    let pace = startPace(rule, 0);
    for (const now of [1, 2, 3, 4]) {
      pace = fall(pace, rule, { verdict: limited, startedAt: now, bound: rateOnly, now })?.pace ?? pace;
      rates.push(pace.rate);
    }
    assert.deepEqual(
      rates.map((rate) => rate.toFixed(2)),
      ['18.00', '14.40', '8.64', '4.32'],
    );
  });

  it('halves for a reply that blames the address', () => {
    const verdict = { class: 'reputation-ip', action: 'retry-elsewhere' } as const;
    assert.equal(
      fall(startPace(rule, 0), rule, { verdict, startedAt: 1, bound: both, now: 5 })?.pace.rate,
      10,
    );
  });

  it('is not moved by a reply about something else, or to what was sent before the last fall', () => {
    const pace = { ...startPace(rule, 0), fallenAt: 10 };
    const greylisted = { class: 'greylisted', action: 'retry' } as const;
    assert.equal(fall(pace, rule, { verdict: greylisted, startedAt: 11, bound: both, now: 12 }), undefined);
    assert.equal(fall(pace, rule, { verdict: limited, startedAt: 9, bound: both, now: 12 }), undefined);
  });

  it('rises by a step in a clean window, where it was what held mail back', () => {
    const pace = startPace(rule, 0);
    assert.equal(rise(pace, rule, both, 9_999), undefined);
    assert.equal(rise(pace, rule, rateOnly, 10_000)?.pace.rate, 22);
    assert.equal(rise(pace, rule, rateOnly, 10_000)?.pace.concurrency, 10);
  });

  it('stays between floor and ceiling whatever happens, and never rises by a refusal', () => {
    const step = fc.record({
      isRefused: fc.boolean(),
      bound: fc.record({ concurrency: fc.boolean(), rate: fc.boolean() }),
      afterMs: fc.integer({ min: -60_000, max: 60_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let now = 1_000_000;
        let pace: Pace = startPace(rule, now);
        for (const { isRefused, bound, afterMs } of steps) {
          now += afterMs;
          const before = pace;
          const change = isRefused
            ? fall(pace, rule, { verdict: limited, startedAt: now, bound, now })
            : rise(pace, rule, bound, now);
          pace = change?.pace ?? pace;
          for (const quantity of ['concurrency', 'rate'] as const) {
            assert.ok(pace[quantity] >= rule[quantity].floor && pace[quantity] <= rule[quantity].ceiling);
            assert.ok(isRefused ? pace[quantity] <= before[quantity] : pace[quantity] >= before[quantity]);
          }
        }
      }),
    );
  });
});
