import assert from 'node:assert/strict';
import { parseStat, readProcesses, selectTree, sumCpuSeconds } from '../../../bench/measure/processes.ts';

const facts = (pid: number, parent: number, cpuSeconds = 0, endedChildrenCpuSeconds = 0) => ({
  pid,
  parent,
  title: `process ${pid}`,
  cpuSeconds,
  endedChildrenCpuSeconds,
});

describe('bench: processes', () => {
  it('reads times in seconds, whatever the command is called', () => {
    const stat = `42 (a ) S 1 (b) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 30 20 20 0 1 0 100 1000 200`;
    assert.deepEqual(parseStat(stat), { pid: 42, parent: 7, cpuSeconds: 2, endedChildrenCpuSeconds: 0.5 });
  });

  it('selects a process and all below it, in whatever order they are listed', () => {
    const processes = [facts(4, 3), facts(3, 2), facts(2, 1), facts(9, 1)];
    assert.deepEqual(
      selectTree(processes, 2).map(({ pid }) => pid),
      [4, 3, 2],
    );
  });

  it('counts the time of children that have ended', () => {
    assert.equal(sumCpuSeconds([facts(1, 0, 1, 0.5), facts(2, 1, 2, 0)]), 3.5);
  });

  it('finds this process among those of the machine', () => {
    const self = readProcesses().find(({ pid }) => pid === process.pid);
    assert.equal(self?.parent, process.ppid);
    assert.ok((self?.cpuSeconds ?? 0) > 0);
  });
});
