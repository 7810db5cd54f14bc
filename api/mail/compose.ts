/**
 * Turns a send request into the RFC 5322 message that goes out. It is composed once, stored, and never composed again,
 * so that every attempt of a hand-over sends the same bytes.
 */
import { randomUUID } from 'node:crypto';
import MailComposer from 'nodemailer/lib/mail-composer';
import type { Mailbox } from '../../lib/mail/address.ts';
import { domainOf } from '../../lib/mail/address.ts';
import type { Attachment } from './attachments.ts';
import type { CustomHeader } from './custom-headers.ts';
import type { SendRequest } from './send-request.ts';

export interface ComposedMessage {
  /** The whole message, CRLF line ends, no Bcc */
  content: Buffer;
  /** With its angle brackets */
  messageId: string;
}

type HeaderField = { key: string; value: string | { prepared: boolean; value: string } };

/** What stands in a message; the rest of a request is about its way. */
export type Composable = Pick<
  SendRequest,
  | 'from'
  | 'to'
  | 'cc'
  | 'replyTo'
  | 'subject'
  | 'text'
  | 'html'
  | 'inReplyTo'
  | 'references'
  | 'listUnsubscribe'
  | 'headers'
  | 'attachments'
>;

export async function composeMessage(request: Composable, now = new Date()): Promise<ComposedMessage> {
  const messageId = `<${randomUUID()}@${domainOf(request.from.address)}>`;
  const composer = new MailComposer({
    from: toHeader(request.from),
    to: request.to.map(toHeader),
    cc: request.cc.map(toHeader),
    replyTo: request.replyTo.map(toHeader),
    subject: request.subject,
    text: normalizeLines(request.text),
    html: normalizeLines(request.html),
    inReplyTo: request.inReplyTo,
    references: request.references,
    messageId,
    date: now,
    headers: [...listHeaders(request), ...request.headers.map(toField)],
    attachments: request.attachments.map(toPart),
    // Whatever the lines are, they leave as short ASCII lines: no server on the way has a reason to rewrap them.
    textEncoding: 'quoted-printable',
    // Content comes as bytes only; nothing in a request can name a file or an URL to read (MB-10).
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { content: await composer.compile().build(), messageId };
}

/** Everybody the message goes to, each once: who stands in To and in Bcc counts as To. */
export function listRecipients(
  request: Pick<SendRequest, 'to' | 'cc' | 'bcc'>,
): { address: string; kind: 'to' | 'cc' | 'bcc' }[] {
  const kinds = new Map<string, 'to' | 'cc' | 'bcc'>();
  for (const kind of ['to', 'cc', 'bcc'] as const) {
    for (const { address } of request[kind]) if (!kinds.has(address)) kinds.set(address, kind);
  }
  return [...kinds].map(([address, kind]) => ({ address, kind }));
}

function toHeader({ name, address }: Mailbox): { name: string; address: string } {
  return { name, address };
}

/** One URI a line, otherwise as it came (its characters were checked): nodemailer would fold within an URI. */
function listHeaders({ listUnsubscribe }: Composable): HeaderField[] {
  if (!listUnsubscribe) return [];
  const value = listUnsubscribe.replaceAll(/>\s*,\s*</g, '>,\r\n <');
  return [{ key: 'List-Unsubscribe', value: { prepared: true, value } }];
}

/** nodemailer encodes what is not ASCII and folds between words. */
function toField({ name, value }: CustomHeader): HeaderField {
  return { key: name, value };
}

function toPart({ filename, content, contentType, cid }: Attachment): object {
  return {
    filename,
    content,
    ...(contentType ? { contentType } : {}),
    ...(cid ? { cid, contentDisposition: 'inline' } : { contentDisposition: 'attachment' }),
    contentTransferEncoding: 'base64',
  };
}

/** Clients send LF, CRLF and CR; in a message a line ends with CRLF (RFC 5322 2.3). */
function normalizeLines(text: string | undefined): string | undefined {
  return text?.replaceAll(/\r\n|\r|\n/g, '\r\n');
}
