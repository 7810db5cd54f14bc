/** Rows of deliveries as the processes of the mta pass them on: small, and the same wherever they come from. */

/** What one organization sends to one destination at one priority. */
export interface FlowKey {
  zone: string;
  organizationId: number;
  /** Of the recipients, lower case. */
  domain: string;
  /** 0 (first) to 9 */
  priority: number;
}

/** A claimed delivery. Plain data: it crosses process boundaries. */
export interface ClaimedRow extends FlowKey {
  queueId: string;
  sequence: string;
  /** The api's id */
  messageId: number;
  /** Signed for; undefined: queued before it was noted */
  senderDomain?: string | undefined;
  /** Undefined: transactional */
  stream?: string | undefined;
  /** A local address that greylisting knows it by */
  pinnedAddress?: string | undefined;
  /** The local address that it leaves from, or the name of the unnamed one; chosen as it is handed out */
  source?: string | undefined;
  tags: string[];
  recipient: string;
  claimId: string;
  attempts: number;
  deferrals: number;
  /** ms since the epoch */
  expiresAt: number;
}

export interface RowKey {
  queueId: string;
  sequence: string;
}

export function rowKey({ queueId, sequence }: RowKey): string {
  return `${queueId}.${sequence}`;
}

export function flowId({ zone, organizationId, domain, priority }: FlowKey): string {
  return `${zone} ${organizationId} ${domain} ${priority}`;
}
