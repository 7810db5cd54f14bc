/** CPU time and memory of processes, from /proc (Linux; proc_pid_stat(5)). */
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of the times in /proc, on every platform that Node runs on. */
export const TICKS_PER_SECOND = 100;

export interface ProcessFacts {
  pid: number;
  parent: number;
  /** What the process calls itself: its command line. */
  title: string;
  cpuSeconds: number;
  /** Of children that have ended and were waited for. */
  endedChildrenCpuSeconds: number;
}

/** The numbers of `/proc/<pid>/stat`. The command's name may hold spaces and brackets. */
export function parseStat(text: string): Omit<ProcessFacts, 'title'> {
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const seconds = (index: number) => (fields[index] ?? 0) / TICKS_PER_SECOND;
  return {
    pid: Number.parseInt(text, 10),
    parent: fields[1] ?? 0,
    cpuSeconds: seconds(11) + seconds(12),
    endedChildrenCpuSeconds: seconds(13) + seconds(14),
  };
}

/** Every process there is. */
export function readProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = read(`/proc/${pid}/stat`);
      if (stat === '') return []; // ended meanwhile
      return [{ ...parseStat(stat), title: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim() }];
    });
}

/** The process and all below it. */
export function selectTree(processes: readonly ProcessFacts[], root: number): ProcessFacts[] {
  const members = new Set([root]);
  for (let size = 0; size !== members.size; ) {
    size = members.size;
    for (const { pid, parent } of processes) if (members.has(parent)) members.add(pid);
  }
  return processes.filter(({ pid }) => members.has(pid));
}

/** CPU seconds that a process and all its children, living and ended, have used. */
export function sumCpuSeconds(tree: readonly ProcessFacts[]): number {
  return tree.reduce((sum, facts) => sum + facts.cpuSeconds + facts.endedChildrenCpuSeconds, 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // ended between the listing and the look
  }
}
