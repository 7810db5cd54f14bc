/** Bounces that come by mail, most of them after the remote server has taken the message. */
import type { BounceReport, ReportedRecipient } from '../../lib/rpc/contracts/bounce-reports.ts';
import type { ReportOutcome } from '../../lib/rpc/contracts/mail-report.ts';
import type { Transaction } from '../database.ts';
import { createEventId, type NewEvent, recordEvents } from './event.ts';
import {
  type Found,
  findReportedMessage,
  noteReport,
  type ReportedMessage,
  speaksFor,
} from './mail-report.ts';
import { suppressBounced } from './suppressed-recipient.ts';

/** The recipient's state, its event, webhook and suppression commit together; a second time nothing changes. */
export async function recordBounceReport(
  tx: Transaction,
  report: BounceReport,
  suppressionDays: number,
): Promise<ReportOutcome> {
  const found = await findReportedMessage(tx, report);
  const concerned = found.ok ? findConcerned(found, report) : [];
  const outcome = decide(found, report, concerned);
  const messageId = found.ok ? found.message.id : undefined;
  if (!(await noteReport(tx, { digest: report.digest, kind: 'bounce', outcome, messageId }))) {
    return 'repeated';
  }
  if (messageId === undefined || outcome !== 'recorded') return outcome;
  const events = concerned.map(({ address, said }) => toEvent(messageId, address, said, report.receivedAt));
  const { fresh } = await recordEvents(tx, events);
  if (report.returnPath) await suppressBounced(tx, fresh, suppressionDays);
  return fresh.length > 0 ? 'recorded' : 'repeated';
}

interface Concerned {
  address: string;
  said: ReportedRecipient;
}

function decide(found: Found, { returnPath }: BounceReport, concerned: readonly Concerned[]): ReportOutcome {
  if (!found.ok) return found.outcome;
  if (concerned.length > 0) return 'recorded';
  return returnPath ? 'other_recipient' : 'unauthenticated';
}

/** What the report says of recipients that it may speak of. */
function findConcerned(found: Found & { ok: true }, report: BounceReport): Concerned[] {
  const { message, recipient } = found;
  if (recipient !== undefined) {
    const said =
      report.recipients.find((one) => names(one, recipient)) ??
      report.recipients.find(({ addresses }) => addresses.length === 0);
    return said ? [{ address: recipient, said }] : [];
  }
  return report.recipients.flatMap((said) =>
    vouchedFor(message, said, report.authenticatedDomains).map((address) => ({ address, said })),
  );
}

function vouchedFor(
  message: ReportedMessage,
  said: ReportedRecipient,
  authenticatedDomains: readonly string[],
): string[] {
  return message.recipients
    .filter((row) => names(said, row.address) && speaksFor(authenticatedDomains, row))
    .map(({ address }) => address);
}

function names({ addresses }: ReportedRecipient, recipient: string): boolean {
  return addresses.some((address) => address.toLowerCase() === recipient.toLowerCase());
}

function toEvent(
  messageId: number,
  recipient: string,
  said: ReportedRecipient,
  occurredAt: string,
): NewEvent {
  const { outcome, bounce, status, response, mx } = said;
  const type = outcome === 'failed' ? 'bounced' : 'reported';
  return {
    // One late bounce a recipient, however many copies of it come (BN-8)
    id: createEventId(type, messageId, `${recipient} ${outcome}`),
    messageId,
    recipient,
    type,
    occurredAt,
    data: {
      reported_by: 'mail',
      outcome,
      response,
      enhanced_code: status,
      category: outcome === 'delivered' ? null : bounce.class,
      ...(mx !== null && { mx: { hostname: mx, address: null } }),
      ...(outcome === 'failed' && {
        bounce: {
          class: bounce.class,
          is_hard: bounce.isHard,
          action: bounce.action,
          rule: bounce.rule,
        },
      }),
    },
  };
}
