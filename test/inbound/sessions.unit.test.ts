import assert from 'node:assert/strict';
import { replies } from '../../inbound/replies.ts';
import { findExpiry, type TimeLimits } from '../../inbound/sessions.ts';

const limits: TimeLimits = {
  commandTimeoutMs: 60_000,
  dataTimeoutMs: 540_000,
  sessionTimeoutMs: 1_800_000,
  minDataBytesPerSecond: 500,
  dataRateWindowMs: 60_000,
};
const fresh = (at = 0) => ({ startedAt: 0, repliedAt: at, windowAt: at, windowBytes: 0 });
const waits = { isOurs: false, receivedBytes: undefined };

describe('findExpiry', () => {
  it('ends a command after its time (RS-1)', () => {
    assert.equal(findExpiry(fresh(), waits, limits, 60_000), undefined);
    assert.equal(findExpiry(fresh(), waits, limits, 60_001), replies.timedOut);
  });

  it('ends a session after its time, however busy it was', () => {
    assert.equal(findExpiry(fresh(1_800_000), waits, limits, 1_800_001), replies.timedOut);
  });

  it('never ends one that waits for us', () => {
    assert.equal(findExpiry(fresh(), { ...waits, isOurs: true }, limits, 1e9), undefined);
  });

  it('ends a message that is too slow, window by window (RS-2)', () => {
    const progress = fresh();
    assert.equal(findExpiry(progress, { ...waits, receivedBytes: 30_000 }, limits, 60_000), undefined);
    assert.equal(findExpiry(progress, { ...waits, receivedBytes: 31_000 }, limits, 119_000), undefined);
    assert.equal(findExpiry(progress, { ...waits, receivedBytes: 31_000 }, limits, 120_000), replies.tooSlow);
  });

  it('ends a message after its time, however fast it is (RS-1)', () => {
    assert.equal(findExpiry(fresh(), { ...waits, receivedBytes: 1e9 }, limits, 540_001), replies.timedOut);
  });
});
