/** Memory of a mail server's processes. */
import { readFileSync } from 'node:fs';
import type { MailServer } from '../servers/mail-server.ts';

/** Bytes, by process. Memory that several share, as Postgres' processes do, counts once: the proportional set size. */
export function readMemory(server: Pick<MailServer, 'listProcesses'>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(server.listProcesses()).map(([role, members]) => {
      const read = members.length === 1 ? readResidentBytes : readProportionalBytes;
      return [role, members.reduce((sum, { pid }) => sum + read(pid), 0)];
    }),
  );
}

function readResidentBytes(pid: number): number {
  return readKilobytes(`/proc/${pid}/status`, /^VmRSS:\s+(\d+) kB/m);
}

function readProportionalBytes(pid: number): number {
  return readKilobytes(`/proc/${pid}/smaps_rollup`, /^Pss:\s+(\d+) kB/m);
}

function readKilobytes(file: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(file, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // ended meanwhile
  }
}
