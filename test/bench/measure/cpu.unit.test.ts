import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { type CpuSeconds, parseBusySeconds, perMessage, shareOfOthers } from '../../../bench/measure/cpu.ts';

const moment = (changes: Partial<CpuSeconds>): CpuSeconds => ({
  server: {},
  around: {},
  machine: 0,
  readAt: 0,
  ...changes,
});

describe('bench: CPU time', () => {
  it('is given in milliseconds a message, by process; the total is that of the server', () => {
    const before = moment({ server: { master: 1, sender: 2 }, around: { sink: 1 } });
    const after = moment({ server: { master: 2, sender: 4 }, around: { sink: 1.5 } });
    assert.deepEqual(perMessage(before, after, 1000), { total: 3, master: 1, sender: 2, sink: 0.5 });
  });

  it('leaves out what the machine waited, and counts what its host took', () => {
    assert.equal(parseBusySeconds('cpu  100 200 300 9999 8888 10 20 70 5 6\ncpu0 1 2 3\n'), 7);
  });

  it('tells what others used meanwhile', () => {
    const before = moment({ server: { mta: 1 }, around: { sink: 1 }, machine: 10, readAt: 0 });
    const seconds = cpus().length;
    const after = moment({
      server: { mta: 1 + seconds / 4 },
      around: { sink: 1 },
      machine: 10 + seconds,
      readAt: 1000,
    });
    assert.equal(shareOfOthers(before, after), 0.75);
  });
});
