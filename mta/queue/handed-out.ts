/** A claimed row as ZoneMTA's sender takes it, or why it cannot be sent at all. */
import type pg from 'pg';
import type { MessageIdentity } from '../../lib/delivery.ts';
import type { ClaimedRow } from './claim-rows.ts';
import { claimKey } from './claims.ts';
import { holdDelivery } from './endings.ts';
import { createEvent } from './events.ts';

/** Attempts that ended neither well nor badly: the sender died each time. A poison pill is not swallowed for ever. */
const MAX_LOST_ATTEMPTS = 10;

export type HandedOut = { ok: true; value: Record<string, unknown> } | { ok: false; reason: string };

export function createDelivery(row: ClaimedRow): HandedOut {
  if (row.attempts - row.deferrals > MAX_LOST_ATTEMPTS) {
    return { ok: false, reason: `${MAX_LOST_ATTEMPTS} attempts were cut off without a result` };
  }
  const envelope = parseEnvelope(row.envelope);
  if (!envelope) return { ok: false, reason: 'The stored envelope cannot be read' };
  const { sendingZone: _zone, ...meta } = envelope;
  return {
    ok: true,
    value: {
      ...meta,
      id: row.queue_id,
      seq: row.sequence,
      domain: row.domain,
      recipient: row.recipient,
      sendingZone: row.zone,
      created: row.created_at.toISOString(),
      _lock: claimKey(row),
      ...(row.deferrals > 0 && { _deferred: { count: row.deferrals, response: row.last_response } }),
      claim: { id: row.claim_id, attempt: row.attempts, expiresAt: row.expires_at.getTime() },
    },
  };
}

/** Sets it aside, visibly: on the timeline as held, in the queue with the reason. */
export async function parkUnreadable(
  pool: pg.Pool,
  row: ClaimedRow,
  instanceId: string,
  reason: string,
): Promise<void> {
  const { rows } = await pool.query<{ message_id: string }>('select message_id from messages where id = $1', [
    row.queue_id,
  ]);
  const event = createEvent(
    {
      messageId: Number(rows[0]?.message_id ?? 0),
      recipient: row.recipient,
      queueId: row.queue_id,
      sequence: row.sequence,
      instanceId,
      attempt: row.attempts,
    },
    { type: 'held', response: reason },
  );
  const key = { queueId: row.queue_id, sequence: row.sequence, claimId: row.claim_id };
  await holdDelivery(pool, key, event, reason);
}

function parseEnvelope(text: string): (Record<string, unknown> & { postern: MessageIdentity }) | undefined {
  try {
    const envelope: unknown = JSON.parse(text);
    return isEnvelope(envelope) ? envelope : undefined;
  } catch {
    return undefined; // torn or foreign data
  }
}

function isEnvelope(value: unknown): value is Record<string, unknown> & { postern: MessageIdentity } {
  if (typeof value !== 'object' || value === null) return false;
  const { postern, headers, to } = value as Record<string, unknown>;
  return typeof postern === 'object' && postern !== null && Array.isArray(headers) && Array.isArray(to);
}
