import assert from 'node:assert/strict';
import { isSound, reconcile } from '../../../bench/measure/reconciliation.ts';

const arrivals = (copies: Record<number, number>) =>
  new Map(Object.entries(copies).map(([number, count]) => [Number(number), { firstAt: 0, copies: count }]));
const clean = {
  accepted: new Set([1, 2]),
  arrivals: arrivals({ 1: 1, 2: 1 }),
  queued: new Set<number>(),
  reported: new Set([1, 2]),
  kills: [],
};

describe('bench: reconciliation', () => {
  it('is sound when all that was accepted came once and was reported', () => {
    const result = reconcile(clean);
    assert.equal(result.accepted, 2);
    assert.equal(result.arrived, 2);
    assert.ok(isSound(result));
  });

  it('finds what is lost, and what is stuck in the queue', () => {
    const result = reconcile({ ...clean, accepted: new Set([1, 2, 3, 4]), queued: new Set([4]) });
    assert.deepEqual(result.lost, [3]);
    assert.deepEqual(result.queued, [4]);
    assert.ok(!isSound(result));
    assert.ok(!isSound(reconcile({ ...clean, accepted: new Set([1, 2, 4]), queued: new Set([4]) })));
  });

  it('forgives a second copy only of what was in flight when a process was killed', () => {
    const kills = [{ role: 'sender', inFlight: new Set([1]) }];
    const forgiven = reconcile({ ...clean, arrivals: arrivals({ 1: 2, 2: 1 }), kills });
    assert.deepEqual(forgiven.duplicatedInFlight, [1]);
    assert.ok(isSound(forgiven));
    const wrong = reconcile({ ...clean, arrivals: arrivals({ 1: 1, 2: 2 }), kills });
    assert.deepEqual(wrong.duplicatedOtherwise, [2]);
    assert.ok(!isSound(wrong));
  });

  it('finds what the api was never told', () => {
    const result = reconcile({ ...clean, reported: new Set([1]) });
    assert.deepEqual(result.unreported, [2]);
    assert.ok(!isSound(result));
  });

  it('says nothing about what came before its 250 was seen', () => {
    const result = reconcile({ ...clean, accepted: new Set([1]), reported: new Set([1]) });
    assert.ok(isSound(result));
  });
});
