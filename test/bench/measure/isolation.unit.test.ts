import assert from 'node:assert/strict';
import { formatIsolation, type IsolationRow, isIsolated } from '../../../bench/measure/isolation-run.ts';
import { summarizeLatencies } from '../../../bench/measure/latency-summary.ts';

function row(name: string, isBeside: boolean, milliseconds: number): IsolationRow {
  const latenciesMs = Array.from({ length: 100 }, () => milliseconds);
  const summary = summarizeLatencies(latenciesMs);
  return { name, isBeside, latenciesMs, summary, cpuMs: { master: 1.25 }, othersShare: 0.5 };
}

describe('bench/isolation', () => {
  it('compares the p99 beside a dead destination with that of before and after', () => {
    const alone = [row('alone', false, 10), row('alone again', false, 20)];

    assert.equal(isIsolated([...alone, row('beside', true, 23)]), true);
    assert.equal(isIsolated([...alone, row('beside', true, 25)]), false);
  });

  it('shows the figures, and the ratio where there is one', () => {
    const rows = [row('alone', false, 10), row('beside', true, 15)];

    assert.match(formatIsolation(rows[1] ?? assert.fail(), rows), /p99 15\.0 ms .*p99 by that alone 1\.50/);
    assert.doesNotMatch(formatIsolation(rows[0] ?? assert.fail(), rows), /alone 1/);
  });
});
