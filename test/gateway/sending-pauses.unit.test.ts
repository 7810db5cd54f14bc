import assert from 'node:assert/strict';
import { SendingPauses } from '../../gateway/sending-pauses.ts';

describe('SendingPauses', () => {
  it('end after a second, and are of one token', () => {
    let nowMs = 0;
    const pauses = new SendingPauses(() => nowMs);
    assert.ok(!pauses.isPaused(1));
    pauses.start(1);
    assert.ok(pauses.isPaused(1));
    assert.ok(!pauses.isPaused(2));
    nowMs = 1_000;
    assert.ok(!pauses.isPaused(1));
  });
});
