/** CPU time of a mail server's processes, and of those around it, between two moments. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { MailServer } from '../servers/mail-server.ts';
import { readProcesses, selectTree, sumCpuSeconds, TICKS_PER_SECOND } from './processes.ts';

export interface CpuSeconds {
  server: Record<string, number>;
  around: Record<string, number>;
  /** Of the whole machine, with what its host took from it (steal). */
  machine: number;
  /** performance.now() */
  readAt: number;
}

/** `bench` is this process: it plays DNS and api, and looks at the sink's counters. */
export function readCpuSeconds(server: Pick<MailServer, 'listProcesses'>, sinkPid?: number): CpuSeconds {
  const processes = readProcesses();
  const self = processes.find(({ pid }) => pid === process.pid);
  const roles = Object.entries(server.listProcesses());
  return {
    server: Object.fromEntries(roles.map(([role, members]) => [role, sumCpuSeconds(members)])),
    around: {
      source: self?.endedChildrenCpuSeconds ?? 0,
      ...(sinkPid !== undefined && { sink: sumCpuSeconds(selectTree(processes, sinkPid)) }),
      bench: self?.cpuSeconds ?? 0,
    },
    machine: parseBusySeconds(readFileSync('/proc/stat', 'latin1')),
    readAt: performance.now(),
  };
}

/** CPU time that was not idle, from the first line of /proc/stat (proc_stat(5)). */
export function parseBusySeconds(text: string): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] =
    text.split('\n')[0]?.split(/\s+/).map(Number) ?? [];
  return (user + nice + system + irq + softIrq + steal) / TICKS_PER_SECOND;
}

/** The part of the machine, 0 to 1, that somebody else used meanwhile: a measurement beside it is worth less. */
export function shareOfOthers(before: CpuSeconds, after: CpuSeconds): number {
  const own = (moment: CpuSeconds) =>
    [...Object.values(moment.server), ...Object.values(moment.around)].reduce((a, b) => a + b, 0);
  const available = ((after.readAt - before.readAt) / 1000) * cpus().length;
  const others = after.machine - before.machine - (own(after) - own(before));
  return Math.max(0, others / available);
}

/** Milliseconds of CPU a message, by process; `total` is the mail server's alone. */
export function perMessage(before: CpuSeconds, after: CpuSeconds, messages: number): Record<string, number> {
  const used = (earlier: Record<string, number>, later: Record<string, number>) =>
    Object.entries(later).map(
      ([name, seconds]) => [name, ((seconds - (earlier[name] ?? 0)) * 1000) / messages] as const,
    );
  const ofServer = used(before.server, after.server);
  const total = ofServer.reduce((sum, [, milliseconds]) => sum + milliseconds, 0);
  return Object.fromEntries([['total', total], ...ofServer, ...used(before.around, after.around)]);
}
