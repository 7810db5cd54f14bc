/** CPU time of a mail server's processes, and of those around it, between two moments. */
import type { MailServer } from '../servers/mail-server.ts';
import { readProcesses, selectTree, sumCpuSeconds } from './processes.ts';

export interface CpuSeconds {
  server: Record<string, number>;
  around: Record<string, number>;
}

/** `bench` is this process: it plays DNS and api, and looks at the sink's counters. */
export function readCpuSeconds(server: MailServer, sinkPid: number): CpuSeconds {
  const processes = readProcesses();
  const self = processes.find(({ pid }) => pid === process.pid);
  const roles = Object.entries(server.listProcesses());
  return {
    server: Object.fromEntries(roles.map(([role, members]) => [role, sumCpuSeconds(members)])),
    around: {
      source: self?.endedChildrenCpuSeconds ?? 0,
      sink: sumCpuSeconds(selectTree(processes, sinkPid)),
      bench: self?.cpuSeconds ?? 0,
    },
  };
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
