/** The queue as operators see it: lists, one delivery, and counts. Never a body. */
import type pg from 'pg';
import { inTransaction } from '../queue/database.ts';
import { Parameters, type Target, toCondition } from '../queue/selector.ts';

export type DeliveryState = 'due' | 'deferred' | 'claimed' | 'paused' | 'held';

export interface Delivery {
  queueId: string;
  sequence: string;
  /** The api's id */
  message: number;
  recipient: string;
  domain: string;
  site: string | null;
  organization: number;
  zone: string;
  priority: number;
  tags: string[];
  state: DeliveryState;
  dueAt: string;
  createdAt: string;
  expiresAt: string;
  attempts: number;
  deferrals: number;
  lastResponse: string | null;
  heldReason: string | null;
  pausedBy: number | null;
  /** Instance */
  claimedBy: string | null;
}

export interface EnvelopeFacts {
  from: string | null;
  recipients: number;
  /** The domain that it is signed for */
  signedFor: string;
  bodyBytes: number;
}

interface DeliveryRow {
  queue_id: string;
  sequence: string;
  message_id: string;
  recipient: string;
  domain: string;
  site: string | null;
  organization_id: string;
  zone: string;
  priority: number;
  tags: string[];
  state: DeliveryState;
  due_at: Date;
  created_at: Date;
  expires_at: Date;
  attempts: number;
  deferrals: number;
  last_response: string | null;
  held_reason: string | null;
  paused_by: string | null;
  claimed_by: string | null;
}

const SELECTED = `
  select d.queue_id, d.sequence, d.message_id, d.recipient, d.domain, s.site, d.organization_id, d.zone, d.priority, d.tags,
         case when d.claim_id is not null then 'claimed'
              when d.held_at is not null then 'held'
              when d.paused_by is not null then 'paused'
              when d.due_at > now() then 'deferred'
              else 'due'
         end as state,
         d.due_at, d.created_at, d.expires_at, d.attempts, d.deferrals, d.last_response, d.held_reason, d.paused_by,
         d.claimed_by
    from deliveries d
    left join destination_sites s on s.domain = d.domain`;

export interface Key {
  queueId: string;
  sequence: string;
}

/** In the order in which they came in. @param page.after the last of the page before */
export async function listDeliveries(
  pool: pg.Pool,
  target: Target,
  { limit, after }: { limit: number; after: Key | undefined },
): Promise<Delivery[]> {
  const parameters = new Parameters();
  const { queueId, sequence } = after ?? { queueId: '', sequence: '' };
  const { rows } = await pool.query<DeliveryRow>(
    `${SELECTED}
      where (d.queue_id, d.sequence) > (${parameters.add(queueId)}, ${parameters.add(sequence)})
        and ${toCondition(target, parameters)}
      order by d.queue_id, d.sequence
      limit ${parameters.add(limit)}`,
    parameters.values,
  );
  return rows.map(toDelivery);
}

export async function findDelivery(
  pool: pg.Pool,
  { queueId, sequence }: Key,
): Promise<(Delivery & { envelope: EnvelopeFacts | null }) | undefined> {
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<DeliveryRow>(
      `${SELECTED} where d.queue_id = $1 and d.sequence = $2`,
      [queueId, sequence],
    );
    const [row] = rows;
    return row && { ...toDelivery(row), envelope: await readFacts(client, queueId) };
  });
}

async function readFacts(client: pg.ClientBase, queueId: string): Promise<EnvelopeFacts | null> {
  const { rows } = await client.query<{
    envelope: string;
    recipients: number;
    domain: string;
    body_bytes: string;
  }>(
    `select envelope, recipients, domain,
            octet_length(body)
              + (select coalesce(sum(octet_length(bytes)), 0) from message_chunks where queue_id = id) as body_bytes
       from messages
      where id = $1`,
    [queueId],
  );
  const [row] = rows;
  if (!row) return null;
  const { recipients, domain, envelope, body_bytes } = row;
  return { from: readSender(envelope), recipients, signedFor: domain, bodyBytes: Number(body_bytes) };
}

/** Null where the stored envelope cannot be read: that is why it is held, perhaps. */
function readSender(envelope: string): string | null {
  try {
    const { from } = JSON.parse(envelope) as { from?: unknown };
    return typeof from === 'string' ? from : null;
  } catch {
    return null;
  }
}

function toDelivery(row: DeliveryRow): Delivery {
  return {
    queueId: row.queue_id,
    sequence: row.sequence,
    message: Number(row.message_id),
    recipient: row.recipient,
    domain: row.domain,
    site: row.site,
    organization: Number(row.organization_id),
    zone: row.zone,
    priority: row.priority,
    tags: row.tags,
    state: row.state,
    dueAt: row.due_at.toISOString(),
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    attempts: row.attempts,
    deferrals: row.deferrals,
    lastResponse: row.last_response,
    heldReason: row.held_reason,
    pausedBy: row.paused_by === null ? null : Number(row.paused_by),
    claimedBy: row.claimed_by,
  };
}
