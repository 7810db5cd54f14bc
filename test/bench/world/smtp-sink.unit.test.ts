import assert from 'node:assert/strict';
import { parseCounters } from '../../../bench/world/smtp-sink.ts';

describe('bench: smtp-sink', () => {
  it('is read at its last complete counters', () => {
    const output = 'sess=1 quit=1 mesg=9\rsess=2 quit=1 mesg=100\rsess=2 quit=1 mesg=10';
    assert.deepEqual(parseCounters(output), { connections: 2, messages: 100 });
  });

  it('has counted nothing before it says so', () => {
    assert.deepEqual(parseCounters(''), { connections: 0, messages: 0 });
  });
});
