/** Replacing the sender processes of a zone. */
import type { ChildProcess } from 'node:child_process';
import { sendingZones } from './zone-mta.ts';

/** In which they hear that they are to end, before what they wait for is answered. */
const HEAR_MS = 500;
/** A sender that drains longer than this is beyond help: its claims return when its connection closes. */
const DRAIN_MS = 20_000;

/**
 * Has each of them finish what it has in hand and end; ZoneMTA forks new ones five seconds after that. So nothing is
 * sent twice, unless a process does not even end: that one is killed.
 * @param letGo ends the waiting of those that wait for mail
 */
export function replaceSenders(zoneName: string, letGo: () => void): void {
  const zone = sendingZones().find(({ name }) => name === zoneName);
  for (const child of zone?.children ?? []) drain(child);
  setTimeout(letGo, HEAR_MS).unref();
}

function drain(child: ChildProcess): void {
  if (child.connected) child.send({ shutdown: true }, () => {}); // as ZoneMTA says it when it stops
  const timer = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
  timer.unref();
  child.once('exit', () => clearTimeout(timer));
}
