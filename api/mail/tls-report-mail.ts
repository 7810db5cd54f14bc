/** The mail that carries a report of TLS (RFC 8460 5.3). Composed here: a customer's mail has no parts like these. */
import { domainOf } from '../../lib/mail/address.ts';
import type { DomainCredential } from '../models/api-token.ts';
import type { NewMessage } from '../models/message.ts';

const DAY_SECONDS = 86_400;
/** RFC 2045 6.8 */
const BASE64_LINE = /.{1,76}/g;

export interface TlsReport {
  domain: string;
  /** As 2026-01-31, UTC */
  day: string;
  /** With an @, as in a Message-ID */
  id: string;
  /** JSON, compressed by gzip */
  body: Buffer;
}

/** @param to an address in ASCII */
export function composeTlsReport(
  { domain, day, id, body }: TlsReport,
  { from, to, credential }: { from: string; to: string; credential: DomainCredential },
  now = new Date(),
): NewMessage {
  const submitter = domainOf(from);
  const start = Date.parse(`${day}T00:00:00Z`) / 1_000;
  const name = `${submitter}!${domain}!${start}!${start + DAY_SECONDS - 1}.json.gz`; // 5.1
  const subject = `Report Domain: ${domain} Submitter: ${submitter} Report-ID: <${id}>`;
  const messageId = `<${id}>`;
  const boundary = `report-${id.slice(0, id.indexOf('@'))}`;
  const lines = [
    `From: Postern <${from}>`,
    `To: <${to}>`,
    `Subject: ${subject}`,
    `Message-ID: ${messageId}`,
    `Date: ${now.toUTCString().replace('GMT', '+0000')}`,
    `TLS-Report-Domain: ${domain}`,
    `TLS-Report-Submitter: ${submitter}`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type="tlsrpt";\r\n boundary="${boundary}"`,
    '',
    `--${boundary}`,
    'Content-Type: text/plain; charset=us-ascii',
    '',
    `What came of TLS in the mail of ${submitter} to ${domain} on ${day} (UTC).`,
    `--${boundary}`,
    'Content-Type: application/tlsrpt+gzip',
    'Content-Transfer-Encoding: base64',
    `Content-Disposition: attachment;\r\n filename="${name}"`,
    '',
    ...(body.toString('base64').match(BASE64_LINE) ?? []),
    `--${boundary}--`,
    '',
  ];
  return {
    credential,
    source: 'http',
    submissionId: null,
    envelopeFrom: from,
    recipients: [{ address: to, kind: 'to' }],
    fromHeader: `Postern <${from}>`,
    subject,
    messageId,
    tags: ['tls-report'],
    stream: 'transactional',
    metadata: {},
    hasUnsubscribeLink: false,
    ignoresTlsPolicy: true, // RFC 8460 5.3
    sendAt: null,
    content: Buffer.from(lines.join('\r\n')),
    acceptance: { source: 'tls_report' },
  };
}
