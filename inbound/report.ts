/**
 * DMARC aggregate reports (RFC 7489) and TLS reports (RFC 8460) about domains of ours: the attachment unpacked within
 * limits and read. What cannot be read is reported as rejected, with a reason, so that somebody can see that it came.
 * Nothing in a mail makes it throw.
 */
import { createHash } from 'node:crypto';
import { type Attachment, simpleParser } from 'mailparser';
import type { DomainReport } from '../lib/rpc/contracts/domain-reports.ts';
import { readDmarcReport } from './reports/dmarc-report.ts';
import { listAuthenticated, type ReportAuthentication } from './reports/origin.ts';
import { readTlsReport } from './reports/tls-report.ts';
import { unpack } from './reports/unpack.ts';

/** Packed; larger ones are from nobody who reports about our domains. */
const MAX_MAIL_BYTES = 16 * 1024 * 1024;
const TYPES = /gzip|zip|xml|tlsrpt|json|octet-stream/i;
const NAMES = /\.(?:gz|zip|xml|json)$/i;

/** Undefined: it has no attachment that could be one. */
export async function readDomainReport(
  raw: Buffer,
  kind: DomainReport['kind'],
  authentication: ReportAuthentication,
): Promise<DomainReport | undefined> {
  const attachment = await findAttachment(raw);
  if (!attachment) return undefined;
  return {
    digest: createHash('sha256').update(raw).digest('hex'),
    receivedAt: new Date().toISOString(),
    authenticatedDomains: listAuthenticated(authentication),
    kind,
    content: await readContent(attachment, kind),
  };
}

async function findAttachment(raw: Buffer): Promise<Buffer | undefined> {
  if (raw.length > MAX_MAIL_BYTES) return undefined;
  const { attachments } = await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true });
  const isReport = ({ contentType, filename }: Attachment) =>
    TYPES.test(contentType) || NAMES.test(filename ?? '');
  return attachments.find(isReport)?.content;
}

async function readContent(attachment: Buffer, kind: DomainReport['kind']): Promise<DomainReport['content']> {
  const unpacked = await unpack(attachment);
  if (!unpacked.ok) return { state: 'rejected', reason: unpacked.reason };
  const text = unpacked.content.toString('utf8');
  const read = kind === 'dmarc' ? readDmarcReport(text) : readTlsReport(text);
  return typeof read === 'string' ? { state: 'rejected', reason: read } : read;
}
