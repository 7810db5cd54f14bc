/**
 * The body that an inbound route's endpoint gets: the fields of the contract (section 3), absent where the message has
 * none, and behind them what the contract does not have: who sent it by SMTP, and what was checked.
 *
 * `raw` is the message byte for byte where it is UTF-8, as most mail is; `rawEncoding: "base64"` says that it is not,
 * and `raw` then is base64: JSON cannot hold other bytes.
 */
import { createHash } from 'node:crypto';
import { type AddressObject, type Attachment, simpleParser } from 'mailparser';
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { InboundMessage } from '../models/inbound-message.ts';

/** Undefined: more than 1,000 parts, or a header of more than a megabyte; the message goes without its parts. */
export async function parseInbound(content: Buffer): Promise<object | undefined> {
  const parsed = await simpleParser(content, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
  }).catch((error: Error & { code?: string }) => {
    if (error.code !== 'EMAXLEN') throw error; // the limits of the parser (mailsplit)
  });
  if (!parsed) return undefined;
  return withoutEmpty({
    to: textOf(parsed.to),
    subject: parsed.subject,
    cc: textOf(parsed.cc),
    bcc: textOf(parsed.bcc),
    inReplyTo: parsed.inReplyTo,
    replyTo: textOf(parsed.replyTo),
    html: parsed.html || undefined,
    text: parsed.text,
    attachments: parsed.attachments.length > 0 ? parsed.attachments.map(toAttachment) : undefined,
  });
}

/** What is told of a message beside its content */
export type InboundFacts = Pick<
  InboundMessage,
  | 'id'
  | 'envelopeFrom'
  | 'recipient'
  | 'fromHeader'
  | 'messageId'
  | 'authentication'
  | 'spam'
  | 'client'
  | 'replyToId'
>;

/** @param parts of parseInbound */
export function renderInbound(message: InboundFacts, content: Buffer, parts: object | undefined): Buffer {
  const { spf, dkim, dmarc } = message.authentication;
  const isText = Buffer.from(content.toString('utf8')).equals(content);
  return Buffer.from(
    JSON.stringify({
      from: message.fromHeader || message.envelopeFrom,
      headers: listHeaders(content),
      messageId: message.messageId || `<inbound-${message.id}@${message.recipient.split('@').at(-1)}>`,
      raw: content.toString(isText ? 'utf8' : 'base64'),
      ...(!isText && { rawEncoding: 'base64' }),
      ...parts,
      id: message.id,
      envelope: { from: message.envelopeFrom, to: message.recipient },
      client: message.client,
      ...{ spf, dkim, dmarc, spam: message.spam },
      ...(message.replyToId !== null && { inReplyToId: message.replyToId }),
    }),
  );
}

function listHeaders(content: Buffer): string[] {
  return splitMessage(content)
    .fields.filter(({ name }) => name !== '')
    .map(({ raw, value }) => `${raw.subarray(0, raw.indexOf(':')).toString('latin1')}: ${value}`);
}

function toAttachment(attachment: Attachment): object {
  const { content, contentType, contentDisposition, filename, contentId, cid, related, headers } = attachment;
  return withoutEmpty({
    content: content.toString('base64'),
    type: 'attachment',
    contentType,
    contentDisposition: contentDisposition || 'attachment',
    headers: [...headers].map(([name, value]) => `${name}: ${formatField(value)}`),
    checksum: createHash('md5').update(content).digest('hex'),
    size: content.length,
    filename: filename || undefined,
    contentId,
    cid,
    related: related || undefined,
  });
}

/** A field of a part, which the parser has taken apart into its value and parameters. */
function formatField(field: unknown): string {
  if (typeof field !== 'object' || field === null || !('value' in field)) return String(field);
  const params = 'params' in field ? Object.entries(field.params ?? {}) : [];
  return [String(field.value), ...params.map(([name, value]) => `${name}=${JSON.stringify(value)}`)].join(
    '; ',
  );
}

function textOf(addresses: AddressObject | AddressObject[] | undefined): string | undefined {
  if (!addresses) return undefined;
  return [addresses]
    .flat()
    .map(({ text }) => text)
    .join(', ');
}

/** An absent field is left out (contract 3). */
function withoutEmpty(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''),
  );
}
