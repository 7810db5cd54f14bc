/**
 * Tells envelope senders of what has failed or is late, where their organization asks for it: one mail a message and kind,
 * taken over in the transaction that notes that it is told, so a crash leaves both or neither. It goes the way of all mail,
 * signed for the sender's domain, with the null reverse-path: when it fails nobody is told (RFC 5321 4.5.5, AD-6).
 * Any number of workers may do this at a time.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { splitMessage } from '../../lib/mail/header-block.ts';
import { inTransaction, type Store } from '../database.ts';
import { composeReport, type ReportedRecipient, type ReportKind } from '../mail/delivery-report.ts';
import { listDueReports, type Reportable, takeReports } from '../models/delivery-report.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';

const EVERY_MS = 5_000;
const MESSAGES_A_ROUND = 200;

export interface ReportContext {
  store: Store;
  settings: Pick<Settings, 'hostname' | 'queue' | 'reports'>;
  log: Pick<Logger, 'warn' | 'info'>;
}

export function startReports(context: ReportContext): { stop(): Promise<void> } {
  let running = Promise.resolve();
  const run = () => {
    running = running
      .then(() => sendReports(context))
      .catch((err: unknown) => context.log.warn({ err }, 'reports.failed'));
  };
  const timer = setInterval(run, EVERY_MS).unref();
  return {
    stop() {
      clearInterval(timer);
      return running;
    },
  };
}

/** One round. */
export async function sendReports(context: ReportContext): Promise<void> {
  const { store, settings } = context;
  const delays = { failed: 0, delayed: settings.reports.delayAfterSeconds };
  for (const kind of ['failed', 'delayed'] as const) {
    const due = { kind, delaySeconds: delays[kind], limit: MESSAGES_A_ROUND };
    for (const messageId of await listDueReports(store.pool, due)) {
      // One that fails keeps nobody else's back; it stays due.
      await report(context, messageId, kind).catch((err: unknown) =>
        context.log.warn({ err, messageId, kind }, 'report.failed'),
      );
    }
  }
}

async function report(
  { store, settings, log }: ReportContext,
  messageId: number,
  kind: ReportKind,
): Promise<void> {
  await inTransaction(store, async (tx) => {
    const taken = await takeReports(tx, messageId, kind);
    if (!taken || taken.recipients.length === 0) return; // told by another worker, or it got better
    if (taken.message.envelopeFrom === '') {
      log.info({ messageId, kind }, 'report.no_sender_to_tell');
      return;
    }
    const reportId = await acceptMessage(tx, await compose(taken.message, taken.recipients, kind, settings));
    log.info({ messageId, kind, reportId }, 'report.accepted');
  });
}

async function compose(
  message: Reportable,
  recipients: ReportedRecipient[],
  kind: ReportKind,
  { hostname, queue }: ReportContext['settings'],
): Promise<NewMessage> {
  const { domain, envelopeFrom, headerMessageId, acceptedAt, content } = message;
  const { content: composed, messageId } = await composeReport({
    ...{ kind, domain, acceptedAt, recipients, to: envelopeFrom, messageId: headerMessageId },
    reportingMta: hostname,
    expiresAt: new Date(acceptedAt.getTime() + queue.lifetimeSeconds * 1000),
    header: content ? headerOf(content) : undefined,
  });
  return {
    credential: message,
    source: 'smtp',
    submissionId: null,
    envelopeFrom: '',
    recipients: [{ address: envelopeFrom, kind: 'to' }],
    fromHeader: `Mail Delivery System <mailer-daemon@${domain}>`,
    subject: null,
    messageId,
    tags: ['delivery-report'],
    stream: 'transactional',
    metadata: {},
    hasUnsubscribeLink: false,
    sendAt: null,
    content: composed,
    acceptance: { source: 'report', message_id: message.messageId },
  };
}

function headerOf(content: Buffer): Buffer {
  return content.subarray(0, content.length - splitMessage(content).rest.length);
}
