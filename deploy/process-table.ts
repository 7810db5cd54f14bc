/**
 * What is known of each process that a host runs, for whatever keeps it up: ecosystem.config.cjs (pm2) and the units of
 * systemd are made from this table.
 */
import type { Role } from './inventory.ts';

export interface ProcessFacts {
  name: Role;
  script: string;
  /** Resident memory at which it is restarted, in order: a leak ends here, and not in the kernel's OOM killer */
  maxMegabytes: number;
  /** Ports below 1024 in production */
  hasPrivilegedPorts: boolean;
}

export const processTable: readonly ProcessFacts[] = [
  // Bodies of requests under way, bounded (plugins/admission.ts), and a thread of templates
  { name: 'api', script: 'api/server.ts', maxMegabytes: 1_024, hasPrivilegedPorts: false },
  // Sources of the messages in hand: worker.concurrency times limits.maxMessageBytes at most
  { name: 'worker', script: 'api/worker.ts', maxMegabytes: 1_024, hasPrivilegedPorts: false },
  // The master; receivers and senders are its children and are replaced by it (mta/queue/watchdog.ts)
  { name: 'mta', script: 'mta/start.ts', maxMegabytes: 1_024, hasPrivilegedPorts: false },
  // gateway.maxBufferedBytes and the sessions
  { name: 'gateway', script: 'gateway/server.ts', maxMegabytes: 1_024, hasPrivilegedPorts: true },
  // The process that counts; Haraka's are its children
  { name: 'inbound', script: 'inbound/start.ts', maxMegabytes: 512, hasPrivilegedPorts: true },
];

/**
 * From SIGTERM to SIGKILL. Longer than the longest of the processes' own deadlines: 10 s of lib/shutdown.ts, in which the
 * gateway and inbound let messages that are coming in be answered, and 10 s of the mta for deliveries under way, after
 * which its children end. Who is killed before has messages sent again.
 */
export const STOP_SECONDS = 20;

/** Of the processes of a host; each has one, so that a hole in one does not open the others. */
export const SERVICE_GROUP = 'postern';
export const serviceUser = (name: Role) => `postern-${name}`;
