import assert from 'node:assert/strict';
import { Histogram, Registry } from 'prom-client';
import { parseBuckets, quantileBound, subtractBuckets } from '../../../bench/measure/histogram.ts';

async function readClaims(durations: number[]) {
  const registry = new Registry();
  const histogram = new Histogram({
    name: 'claim_seconds',
    help: '-',
    buckets: [0.001, 0.01, 0.1],
    registers: [registry],
  });
  for (const duration of durations) histogram.observe(duration);
  return parseBuckets(await registry.metrics(), 'claim_seconds');
}

describe('bench: histograms', () => {
  it('are read as prom-client writes them', async () => {
    assert.deepEqual(await readClaims([0.0005, 0.05]), [
      { upTo: 0.001, count: 1 },
      { upTo: 0.01, count: 1 },
      { upTo: 0.1, count: 2 },
      { upTo: Number.POSITIVE_INFINITY, count: 2 },
    ]);
  });

  it('give the upper bound of a quantile, of what came between two readings', async () => {
    const earlier = await readClaims([0.05, 0.05, 0.05]);
    const later = await readClaims([0.05, 0.05, 0.05, ...Array.from({ length: 99 }, () => 0.005), 5]);
    const between = subtractBuckets(later, earlier);
    assert.equal(quantileBound(between, 0.99), 0.01);
    assert.equal(quantileBound(between, 1), Number.POSITIVE_INFINITY);
  });

  it('have no quantile without observations, or when there is no such metric', async () => {
    assert.equal(quantileBound(await readClaims([]), 0.99), undefined);
    assert.equal(quantileBound(parseBuckets('other_metric 1\n', 'claim_seconds'), 0.99), undefined);
  });
});
