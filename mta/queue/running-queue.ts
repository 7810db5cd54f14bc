/**
 * The queue of this process, where there is one: ZoneMTA makes the MailQueue, long after the control port is open.
 * What looks at it from outside (control/, monitor.ts) finds it here.
 */
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import type { Claims } from './claims.ts';
import type { Limits } from './limits.ts';
import type { Outbox } from './outbox.ts';
import type { PaceChanges } from './pace-changes.ts';
import type { Pacing } from './pacing.ts';
import type { Pauses } from './pauses.ts';
import type { Sites } from './sites.ts';
import type { StoredLimits } from './stored-limits.ts';

export interface RunningQueue {
  pool: pg.Pool;
  instanceId: string;
  claims: Claims;
  limits: Limits;
  storedLimits: StoredLimits;
  pauses: Pauses;
  /** Undefined: sites are not paced */
  pacing: Pacing | undefined;
  paceChanges: PaceChanges;
  sites: Sites;
  outbox: Pick<Outbox, 'announce'>;
  log: Logger;
}

let running: RunningQueue | undefined;

/** Called when the queue has started, and with nothing when it stops. */
export function setRunningQueue(queue: RunningQueue | undefined): void {
  running = queue;
}

export function runningQueue(): RunningQueue | undefined {
  return running;
}
