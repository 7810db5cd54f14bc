import assert from 'node:assert/strict';
import { estimateSeconds } from '../../../bench/measure/estimate.ts';
import { formatDuration } from '../../../bench/measure/progress.ts';

const load = { messages: 3000, bodyBytes: 4096, sessions: 20, destinations: 1 };

describe('bench: estimates', () => {
  it('grow with the loads, the servers and the runs', () => {
    const one = estimateSeconds([load], ['postern'], 1);
    assert.ok(one > 10);
    assert.equal(estimateSeconds([load], ['postern'], 3), one * 3);
    assert.equal(estimateSeconds([load, load], ['postern'], 1), one * 2);
    assert.ok(estimateSeconds([load], ['postern', 'postfix'], 1) > one);
    assert.ok(estimateSeconds([{ ...load, bodyBytes: 102_400 }], ['postern'], 1) > one);
  });

  it('are written as people say them', () => {
    assert.equal(formatDuration(-1), '0 s');
    assert.equal(formatDuration(41.4), '41 s');
    assert.equal(formatDuration(750), '13 min');
  });
});
