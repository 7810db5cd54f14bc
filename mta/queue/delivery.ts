/** A claimed row and its message as ZoneMTA's sender takes them, or why they cannot be sent at all. */
import type { MessageIdentity } from '../../lib/delivery.ts';
import type { LoadedMessage } from './messages.ts';
import type { ClaimedRow } from './rows.ts';

/** Attempts that ended neither well nor badly: the sender died each time. A poison pill is not swallowed for ever. */
const MAX_LOST_ATTEMPTS = 20;

export type HandedOut = { ok: true; value: Record<string, unknown> } | { ok: false; reason: string };

export function createDelivery(row: ClaimedRow, message: LoadedMessage | undefined): HandedOut {
  if (!message) return { ok: false, reason: 'The message is missing from the queue' };
  if (row.attempts - row.deferrals > MAX_LOST_ATTEMPTS) {
    return { ok: false, reason: `${MAX_LOST_ATTEMPTS} attempts were cut off without a result` };
  }
  const envelope = parseEnvelope(message.envelope);
  if (!envelope) return { ok: false, reason: 'The stored envelope cannot be read' };
  const { queueId, sequence, domain, recipient, zone, claimId, attempts, deferrals, expiresAt } = row;
  const source = row.source ?? row.pinnedAddress;
  return {
    ok: true,
    value: {
      ...envelope,
      id: queueId,
      seq: sequence,
      domain,
      recipient,
      sendingZone: zone,
      ...(deferrals > 0 && { _deferred: { count: deferrals } }),
      claim: { id: claimId, attempt: attempts, expiresAt, recipients: message.recipients, source },
    },
  };
}

type StoredEnvelope = Record<string, unknown> & { postern: MessageIdentity };

function parseEnvelope(text: string): StoredEnvelope | undefined {
  try {
    const envelope: unknown = JSON.parse(text);
    return isEnvelope(envelope) ? envelope : undefined;
  } catch {
    return undefined; // torn or foreign data
  }
}

function isEnvelope(value: unknown): value is StoredEnvelope {
  if (typeof value !== 'object' || value === null) return false;
  const { postern, headers, to } = value as Record<string, unknown>;
  return typeof postern === 'object' && postern !== null && Array.isArray(headers) && Array.isArray(to);
}
