/** Recipients that called a message spam: on the timeline, told by webhook, and off the message's stream. */
import type { Complaint } from '../../lib/rpc/contracts/complaints.ts';
import type { ReportOutcome } from '../../lib/rpc/contracts/mail-report.ts';
import type { Transaction } from '../database.ts';
import { createEventId, type NewEvent, recordEvents } from './event.ts';
import { type Found, findReportedMessage, noteReport } from './mail-report.ts';
import { suppressComplained, suppressUnsubscribed } from './suppressed-recipient.ts';

/** RFC 5965 7.3, RFC 6591, and what providers made of it; all others are complaints. */
const MEANINGS: Readonly<Record<string, NewEvent['type']>> = {
  'opt-out': 'unsubscribed',
  'opt-out-list': 'unsubscribed',
  'not-spam': 'reported',
  'auth-failure': 'reported',
  dmarc: 'reported',
};

/** @param trustedReporters domains whose complaints count without a signed return path */
export async function recordComplaint(
  tx: Transaction,
  complaint: Complaint,
  trustedReporters: readonly string[],
): Promise<ReportOutcome> {
  const found = await findReportedMessage(tx, complaint);
  const isTrusted = complaint.authenticatedDomains.some((domain) => isOneOf(domain, trustedReporters));
  const address = found.ok ? findRecipient(found, complaint, isTrusted) : undefined;
  const outcome = decide(found, address, isTrusted);
  const messageId = found.ok ? found.message.id : undefined;
  const note = { digest: complaint.digest, kind: 'complaint', outcome, messageId } as const;
  if (!(await noteReport(tx, note))) return 'repeated';
  if (!found.ok || address === undefined || outcome !== 'recorded') return outcome;
  const { fresh } = await recordEvents(tx, [toEvent(found.message.id, address, complaint)]);
  const block = { ...found.message, messageId: found.message.id, address };
  for (const { type } of fresh) {
    if (type === 'complained') await suppressComplained(tx, block);
    if (type === 'unsubscribed') await suppressUnsubscribed(tx, block);
  }
  return fresh.length > 0 ? 'recorded' : 'repeated';
}

/** The one whose return path it is; else the one that is named, or the only one that there is. */
function findRecipient(
  { message, recipient }: Found & { ok: true },
  { recipients }: Complaint,
  isTrusted: boolean,
): string | undefined {
  if (recipient !== undefined) return recipient;
  if (!isTrusted) return undefined;
  const named = new Set(recipients.map((address) => address.toLowerCase()));
  const known = message.recipients.map(({ address }) => address);
  if (named.size === 0 && known.length === 1) return known[0];
  return known.find((address) => named.has(address.toLowerCase()));
}

function decide(found: Found, address: string | undefined, isTrusted: boolean): ReportOutcome {
  if (!found.ok) return found.outcome;
  if (address !== undefined) return 'recorded';
  return isTrusted ? 'other_recipient' : 'unauthenticated';
}

function toEvent(messageId: number, recipient: string, complaint: Complaint): NewEvent {
  const { feedbackType, reporter, receivedAt } = complaint;
  const type = MEANINGS[feedbackType] ?? 'complained';
  return {
    id: createEventId(type, messageId, type === 'reported' ? `${recipient} ${feedbackType}` : recipient),
    messageId,
    recipient,
    type,
    occurredAt: receivedAt,
    data: { feedback_type: feedbackType, reporter },
  };
}

function isOneOf(domain: string, trusted: readonly string[]): boolean {
  return trusted.some((one) => domain === one || domain.endsWith(`.${one}`));
}
