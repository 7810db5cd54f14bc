/**
 * Delivery status notifications (RFC 3464, in a multipart/report of RFC 3462): tells an envelope sender what has failed,
 * or is late. What remote servers said is quoted as one line of ASCII of bounded length, so that nothing of it can end a
 * field, a part or the message (SM-15, AD-10).
 */
import { randomUUID } from 'node:crypto';
import MimeNode from 'nodemailer/lib/mime-node';
import type { ComposedMessage } from './compose.ts';

const MAX_REPLY_CHARACTERS = 500;
const MAX_LINE = 76;
const MAX_HEADER_BYTES = 16_384;
const MAX_MESSAGE_ID_CHARACTERS = 250;

export type ReportKind = 'failed' | 'delayed';

export interface ReportedRecipient {
  address: string;
  state: string;
  /** What was said last; null: nothing */
  response: string | null;
  /** Of a remote server; null: the words are ours */
  code: number | null;
  enhancedCode: string | null;
  mx: string | null;
  lastAttemptAt: Date;
}

export interface DeliveryReport {
  kind: ReportKind;
  /** Envelope sender of the message; never empty (RFC 5321 4.5.5) */
  to: string;
  /** Of the message's sender, whose keys sign the report */
  domain: string;
  reportingMta: string;
  messageId: string;
  acceptedAt: Date;
  /** Until when it is tried */
  expiresAt: Date;
  recipients: ReportedRecipient[];
  /** Of the message, as it was submitted; undefined: not kept any more */
  header: Buffer | undefined;
}

export async function composeReport(report: DeliveryReport, now = new Date()): Promise<ComposedMessage> {
  const messageId = `<${randomUUID()}@${report.domain}>`;
  const root = new MimeNode('multipart/report; report-type=delivery-status');
  const original = /^<[!-~]+>$/.test(report.messageId) && report.messageId.length < MAX_MESSAGE_ID_CHARACTERS;
  root.setHeader({
    From: `Mail Delivery System <mailer-daemon@${report.domain}>`,
    To: { name: '', address: report.to },
    Subject: subjects[report.kind],
    Date: now.toUTCString().replace('GMT', '+0000'),
    'Message-ID': messageId,
    'Auto-Submitted': 'auto-replied', // RFC 3834 5
    ...(original && { 'In-Reply-To': report.messageId, References: report.messageId }),
  });
  root.createChild('text/plain; charset=utf-8').setContent(describe(report).replaceAll('\n', '\r\n'));
  root.createChild('message/delivery-status').setContent(formatStatus(report));
  if (report.header) {
    root.createChild('text/rfc822-headers; charset=utf-8').setContent(cutHeader(report.header));
  }
  return { content: await root.build(), messageId };
}

const subjects: Record<ReportKind, string> = {
  failed: 'Undelivered mail returned to sender',
  delayed: 'Your mail is delayed',
};

function describe({ kind, recipients, expiresAt }: DeliveryReport): string {
  const outcome =
    kind === 'failed'
      ? 'could not be delivered to these recipients, and is not tried any more:'
      : `could not be delivered to these recipients yet. It is tried until ${expiresAt.toUTCString()};\nthere is nothing to do:`;
  const list = recipients.map((one) => `  <${oneLine(one.address)}>\n    ${explain(one)}`).join('\n\n');
  return `Your message ${outcome}\n\n${list}\n`;
}

function explain({ state, response }: ReportedRecipient): string {
  const what = reasons[state] ?? 'The reason is not known';
  return response ? `${what}: ${oneLine(response)}` : what;
}

const reasons: Record<string, string> = {
  bounced: 'Their server refused it',
  expired: 'It was tried for too long',
  suppressed: 'The address is blocked for your domain',
  spam: 'It was not let out',
  deferred: 'Their server put it off',
};

/** A group of fields for the message, and one for each recipient (RFC 3464 2.1). */
export function formatStatus({
  kind,
  reportingMta,
  acceptedAt,
  expiresAt,
  recipients,
}: DeliveryReport): string {
  const date = (at: Date) => at.toUTCString().replace('GMT', '+0000');
  const message = [`Reporting-MTA: dns; ${reportingMta}`, `Arrival-Date: ${date(acceptedAt)}`];
  const groups = recipients.map((one) => [
    `Final-Recipient: ${formatAddress(one.address)}`,
    `Action: ${kind}`,
    `Status: ${statusOf(kind, one)}`,
    ...(one.mx ? [`Remote-MTA: dns; ${oneLine(one.mx)}`] : []),
    ...(one.response
      ? [`Diagnostic-Code: ${one.code === null ? 'x-postern' : 'smtp'}; ${oneLine(one.response)}`]
      : []),
    `Last-Attempt-Date: ${date(one.lastAttemptAt)}`,
    ...(kind === 'delayed' ? [`Will-Retry-Until: ${date(expiresAt)}`] : []),
  ]);
  return [message, ...groups].map((fields) => `${fields.map(fold).join('\r\n')}\r\n`).join('\r\n');
}

/** What a server said later, or said of something temporary, has another class than what became of it (RFC 3463 2). */
function statusOf(kind: ReportKind, { state, enhancedCode }: ReportedRecipient): string {
  if (state === 'expired') return '5.4.7';
  const expected = kind === 'failed' ? '5' : '4';
  const known = /^([245])\.\d{1,3}\.\d{1,3}$/.exec(enhancedCode ?? '');
  if (known?.[1] === expected) return known[0];
  return kind === 'failed' && (state === 'spam' || state === 'suppressed') ? '5.7.1' : `${expected}.0.0`;
}

/** Beyond ASCII: utf-8-addr-xtext of RFC 6533 3. */
function formatAddress(address: string): string {
  if (/^[ -~]*$/.test(address)) return `rfc822; ${address}`;
  const escaped = [...address].map((one) =>
    /[!-*,-<>-[\]-~]/.test(one) ? one : `\\x{${(one.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`,
  );
  return `utf-8; ${escaped.join('')}`;
}

/** Printable ASCII of bounded length: a reply that arrived in pieces, or was made up by an enemy. */
export function oneLine(text: string): string {
  const line = text
    .slice(0, MAX_REPLY_CHARACTERS * 4)
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/[^ -~]/gu, '?')
    .trim();
  return line.length > MAX_REPLY_CHARACTERS ? `${line.slice(0, MAX_REPLY_CHARACTERS)}...` : line;
}

/** At spaces, near 76 characters; a word is never broken. */
function fold(field: string): string {
  return field.length <= MAX_LINE ? field : field.replaceAll(/(.{20,74}) (?=\S)/g, '$1\r\n ');
}

function cutHeader(header: Buffer): string {
  const text = header.subarray(0, MAX_HEADER_BYTES).toString();
  return header.length > MAX_HEADER_BYTES ? text.slice(0, text.lastIndexOf('\n') + 1) : text;
}
