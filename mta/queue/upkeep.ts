/**
 * Keeps what operators have set in step with the database: pauses and limits of other instances come in, pauses whose
 * time is over end, what waits for a pause that is gone is freed, sites that were learned are written, slowdowns that are
 * long past forgotten, and changes of paces are recorded.
 */
import { endExpiredPauses, freePaused } from './pause-ends.ts';
import type { RunningQueue } from './running-queue.ts';

const EVERY_MS = 5_000;

/** Before the first claim: what is paused is never handed out. */
export async function loadControlState(queue: RunningQueue): Promise<void> {
  await queue.sites.load(queue.claims.scheduler.destinations);
  await queue.storedLimits.refresh();
  await runUpkeep(queue);
}

export function startUpkeep(queue: RunningQueue): { stop(): void } {
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    runUpkeep(queue)
      .catch((error: unknown) => queue.log.error({ err: error }, 'upkeep.round_failed'))
      .finally(() => {
        isRunning = false;
      });
  }, EVERY_MS).unref();
  return { stop: () => clearInterval(timer) };
}

export async function runUpkeep({
  pool,
  claims,
  pauses,
  sites,
  storedLimits,
  paceChanges,
  log,
}: RunningQueue): Promise<void> {
  for (const pauseId of await endExpiredPauses(pool)) log.info({ pauseId }, 'pause.ended');
  await pauses.refresh();
  const freed = await freePaused(pool, (flows) => claims.noteQueued(flows));
  if (freed > 0) log.info({ deliveries: freed }, 'deliveries.freed');
  if (await storedLimits.refresh()) {
    claims.scheduler.reconsider();
    claims.pumpAllZones();
  }
  claims.scheduler.destinations.slowdowns.forgetOld(Date.now());
  await sites.write();
  await paceChanges.write();
}
