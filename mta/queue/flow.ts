/** A flow (rows.ts) as the scheduler holds it in memory. */
import { type ClaimedRow, type FlowKey, flowId } from './rows.ts';

export interface Flow extends FlowKey {
  id: string;
  /** Claimed rows that wait for a sender */
  buffer: ClaimedRow[];
  /** The database has, or may have, due rows. */
  hasDue: boolean;
  /** The database has, or may have, rows that are due later. */
  hasLater: boolean;
  nextDueAt: number;
  isClaiming: boolean;
}

export function createFlow(key: FlowKey): Flow {
  const { zone, organizationId, domain, priority } = key;
  return {
    ...{ id: flowId(key), zone, organizationId, domain, priority, buffer: [], hasDue: false },
    ...{ hasLater: false, nextDueAt: Number.POSITIVE_INFINITY, isClaiming: false },
  };
}
