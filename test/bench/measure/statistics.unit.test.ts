import assert from 'node:assert/strict';
import { percentile, summarize } from '../../../bench/measure/statistics.ts';

describe('bench: statistics', () => {
  it('summarizes runs in any order', () => {
    assert.deepEqual(summarize([5, 1, 3]), { median: 3, min: 1, max: 5 });
  });

  it('takes the middle between two', () => {
    assert.equal(percentile([1, 2, 3, 4], 0.5), 2.5);
  });

  it('sorts by number', () => {
    assert.equal(percentile([10, 9, 100], 1), 100);
  });

  it('has no answer without values', () => {
    assert.throws(() => summarize([]), RangeError);
  });
});
