/** Replacing the sender processes of a zone. */
import type { ChildProcess } from 'node:child_process';
import { sendingZones } from './zone-mta.ts';

/** A sender that drains longer than this is beyond help: its claims return when its connection closes. */
const DRAIN_MS = 20_000;

/**
 * Has each of them finish what it has in hand and end; ZoneMTA forks new ones five seconds after that. So nothing is
 * sent twice, unless a process does not even end: that one is killed.
 */
export function replaceSenders(zoneName: string): void {
  const zone = sendingZones().find(({ name }) => name === zoneName);
  for (const child of zone?.children ?? []) drain(child);
}

function drain(child: ChildProcess): void {
  if (child.connected) child.send({ shutdown: true }, () => {}); // as ZoneMTA says it when it stops
  const timer = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
  timer.unref();
  child.once('exit', () => clearTimeout(timer));
}
