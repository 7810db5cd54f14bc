/** Flows as statements return them that make deliveries free to be claimed. */
import type { FlowKey } from './rows.ts';

/** A flow with the moment, in ms since the epoch, at which a row of it is due. */
export interface QueuedFlow extends FlowKey {
  dueAt: number;
}

export interface FlowRow {
  zone: string;
  organization_id: string;
  domain: string;
  priority: number;
  due_at: Date;
}

/** Of `deliveries d`, to be read by toQueuedFlow. */
export const FLOW_COLUMNS = 'd.zone, d.organization_id, d.domain, d.priority, d.due_at';

export function toQueuedFlow({ zone, organization_id, domain, priority, due_at }: FlowRow): QueuedFlow {
  return { zone, organizationId: Number(organization_id), domain, priority, dueAt: due_at.getTime() };
}
