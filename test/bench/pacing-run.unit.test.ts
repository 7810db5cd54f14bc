import assert from 'node:assert/strict';
import { runPacing, summarizePacing } from '../../bench/measure/pacing-run.ts';
import { paceOf } from '../../lib/sites.ts';

const run = {
  phases: [
    { from: 0, ratePerSecond: 40, connections: 30 },
    { from: 900_000, ratePerSecond: 15, connections: 30 },
  ],
  rule: paceOf('google'),
  durationMs: 1_800_000,
};

describe('bench/pacing: a provider with hidden limits', () => {
  it('gets at least 90 % of the limit with under 1 % of attempts refused', () => {
    const { throughput, refused } = summarizePacing(runPacing({ ...run, policy: 'adaptive' }));
    assert.ok(throughput >= 0.9 && throughput <= 1.001, `throughput ${throughput}`);
    assert.ok(refused > 0 && refused < 0.01, `refused ${refused}`);
  });

  it('does worse with a fixed rate: too little at first, refused later', () => {
    const samples = runPacing({ ...run, policy: 'fixed' });
    assert.ok(summarizePacing(samples.filter(({ at }) => at <= 900_000)).throughput < 0.6);
    assert.ok(summarizePacing(samples.filter(({ at }) => at > 900_000)).refused > 0.2);
  });
});
