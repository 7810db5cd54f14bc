/** The watchdog over the zones of this master. */
import type { Registry } from 'prom-client';
import { Counter } from 'prom-client';
import { replaceSenders } from '../sender-processes.ts';
import { sendingZones } from '../zone-mta.ts';
import { findFlows } from './claim-rows.ts';
import type { RunningQueue } from './running-queue.ts';
import { DUE_FOR_SECONDS, Watchdog } from './watchdog.ts';

export function startWatchdog(queue: RunningQueue, registry: Registry): { stop(): void } {
  const { claims, log } = queue;
  const stalls = new Counter({
    name: 'postern_queue_stalled_total',
    help: 'Times that a zone with due mail made no progress, by what was done about it',
    labelNames: ['zone', 'remedy'],
    registers: [registry],
  });
  const watchdog = new Watchdog({
    listZones: () =>
      sendingZones().map(({ name }) => ({
        name,
        demand: claims.waiters.demandOf(name),
        active: claims.activeOf(name),
        lastEndedAt: claims.lastEndedAt(name),
      })),
    hasOverdueMail: (zone) => hasOverdueMail(queue, zone, Date.now()),
    rediscover: () => claims.discover(),
    replaceSenders: (zone) => replaceSenders(zone, () => claims.waiters.letGo(zone)),
    onStalled: (zone, remedy) => stalls.inc({ zone, remedy }),
    log,
  });
  return watchdog.start();
}

/** In memory, claimed, without a sender; or in the database. Nothing whose destination is at its limit. */
export async function hasOverdueMail(
  { pool, claims }: Pick<RunningQueue, 'pool' | 'claims'>,
  zone: string,
  now: number,
): Promise<boolean> {
  const { destinations } = claims.scheduler;
  const isFree = (domain: string) => destinations.blockedUntil(zone, domain, now) === undefined;
  for (const row of claims.scheduler.waitingRows()) {
    if (row.zone === zone && isFree(row.domain)) return true;
  }
  const flows = await findFlows(pool);
  const dueBefore = now - DUE_FOR_SECONDS * 1000;
  return flows.some((flow) => flow.zone === zone && flow.dueAt < dueBefore && isFree(flow.domain));
}
