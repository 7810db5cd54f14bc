/**
 * What `POST /api/v1/send` asks for, read and checked in the order of docs/api.md: from, its domain, to, cc, bcc,
 * subject, bodies, the other headers, tags, attachments, then what goes beyond the contract. The first problem is the answer.
 */
import type { Settings } from '../../config/schema.ts';
import { domainOf, type Mailbox } from '../../lib/mail/address.ts';
import { unsubscribeBase } from '../../lib/unsubscribe.ts';
import { DEFAULT_STREAM, isStream, type Stream } from '../models/stream.ts';
import { type Attachment, readAttachments } from './attachments.ts';
import { type CustomHeader, readCustomHeaders } from './custom-headers.ts';
import { FieldReader, hasControlCharacter, type Refusal } from './field-reader.ts';
import { type Metadata, readMetadata } from './metadata.ts';
import { readSendAt } from './send-at.ts';
import { decideLink } from './unsubscribe-link.ts';

export interface SendRequest {
  from: Mailbox;
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  replyTo: Mailbox[];
  subject: string | undefined;
  html: string | undefined;
  text: string | undefined;
  /** With its angle brackets */
  inReplyTo: string | undefined;
  references: string[];
  listUnsubscribe: string | undefined;
  attachments: Attachment[];
  tags: string[];
  stream: Stream;
  headers: CustomHeader[];
  metadata: Metadata;
  /** Each recipient gets a link of its own to unsubscribe. */
  hasUnsubscribeLink: boolean;
  /** It leaves over TLS with a certificate that holds, or not at all. */
  requiresTls: boolean;
  /** Null: at once */
  sendAt: Date | null;
}

export type ReadResult = { ok: true; request: SendRequest } | { ok: false; refusal: Refusal };

/** RFC 5322 3.6.4, without the obsolete forms: printable ASCII, one @ at least, short enough for a line. */
const MESSAGE_ID = /^<?[!-;=?A-~]{1,400}@[!-;=?-~]{1,400}>?$/;
/** RFC 2369 3: URIs in angle brackets, each short enough for a line of its own. */
const LIST_UNSUBSCRIBE = /^<[!-;=?-~]{1,900}>(?:\s*,\s*<[!-;=?-~]{1,900}>)*$/;

const MAX_TAGS = 100;
const MAX_TAG_CHARACTERS = 255;

export interface ReadOptions {
  limits: Settings['limits'];
  /** Whether recipients can be offered a link to unsubscribe (lib/unsubscribe.ts). */
  offersUnsubscribe: boolean;
}

export function readOptionsOf(settings: Settings): ReadOptions {
  return { limits: settings.limits, offersUnsubscribe: unsubscribeBase(settings) !== undefined };
}

/** @param domain the only domain that From may name */
export function readSendRequest(body: unknown, domain: string, options: ReadOptions): ReadResult {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return { ok: false, refusal: { code: 400, body: { error: 'Request body is not a JSON object' } } };
  }
  const reader = new FieldReader(body as Record<string, unknown>);
  const from = readFrom(reader, domain);
  const request = from && readFields(reader, from, options);
  if (reader.problem) return { ok: false, refusal: reader.problem };
  if (!request) throw new Error('a request without a problem has been read');
  return { ok: true, request };
}

function readFrom(reader: FieldReader, domain: string): Mailbox | undefined {
  const value = reader.value('from');
  if (typeof value === 'string' && hasControlCharacter(value))
    return reader.refuseField('from', 'is invalid');
  const [from, ...more] = new FieldReader({ from: value }).mailboxes('from', 1);
  if (!from || more.length > 0) {
    return reader.refuse({ code: 400, body: { error: 'Email from address not parseable' } });
  }
  if (domainOf(from.address) !== domain) {
    const error = 'Verified domain does not match domain in From address of email';
    return reader.refuse({ code: 403, body: { error } });
  }
  return from;
}

function readFields(
  reader: FieldReader,
  from: Mailbox,
  { limits: { maxToRecipients: maxCount }, offersUnsubscribe }: ReadOptions,
): SendRequest {
  const to = reader.mailboxes('to', maxCount);
  if (to.length === 0) reader.refuseField('to', 'undefined field');
  const cc = reader.mailboxes('cc', maxCount);
  const bcc = reader.mailboxes('bcc', maxCount);
  const subject = reader.header('subject');
  const html = reader.text('htmlbody');
  const text = reader.text('textbody');
  if (html === undefined && text === undefined) {
    reader.refuse({
      code: 400,
      body: { errors: { htmlbody: ['undefined field'], textbody: ['undefined field'] } },
    });
  }
  const request = {
    from,
    to,
    cc,
    bcc,
    subject,
    html,
    text,
    replyTo: reader.mailboxes('replyto', maxCount),
    inReplyTo: reader.header('inreplyto', MESSAGE_ID),
    references: readReferences(reader),
    listUnsubscribe: reader.header('list_unsubscribe', LIST_UNSUBSCRIBE),
    tags: readTags(reader),
    attachments: readAttachments(reader),
    stream: readStream(reader),
    headers: readCustomHeaders(reader),
    metadata: readMetadata(reader),
    sendAt: readSendAt(reader),
    requiresTls: readTls(reader),
  };
  return { ...request, hasUnsubscribeLink: readUnsubscribe(reader, request, offersUnsubscribe) };
}

/** Separated by spaces; by commas too, as the contract's documentation once said. */
function readReferences(reader: FieldReader): string[] {
  const ids =
    reader
      .header('references')
      ?.split(/[\s,]+/)
      .filter(Boolean) ?? [];
  if (!ids.every((id) => MESSAGE_ID.test(id))) reader.refuseField('references', 'is invalid');
  return ids;
}

function readTags(reader: FieldReader): string[] {
  const value = reader.value('tags') ?? [];
  const tags = (Array.isArray(value) ? value : [value]).filter((tag) => tag !== '' && tag !== null);
  if (tags.length > MAX_TAGS || !tags.every(isTag)) {
    reader.refuseField('tags', 'is invalid');
    return [];
  }
  return tags;
}

function readStream(reader: FieldReader): Stream {
  const value = reader.value('stream') ?? DEFAULT_STREAM;
  if (isStream(value)) return value;
  reader.refuseField('stream', 'is not transactional or bulk');
  return DEFAULT_STREAM;
}

function readTls(reader: FieldReader): boolean {
  const value = reader.value('tls') ?? 'opportunistic';
  if (value !== 'required' && value !== 'opportunistic') {
    reader.refuseField('tls', 'is not required or opportunistic');
  }
  return value === 'required';
}

function readUnsubscribe(
  reader: FieldReader,
  { stream, listUnsubscribe }: Pick<SendRequest, 'stream' | 'listUnsubscribe'>,
  isOffered: boolean,
): boolean {
  const asked = reader.value('unsubscribe');
  if (asked !== undefined && typeof asked !== 'boolean') {
    reader.refuseField('unsubscribe', 'is not true or false');
    return false;
  }
  const decision = decideLink({ asked, stream, hasOwn: listUnsubscribe !== undefined, isOffered });
  if (!decision.ok) reader.refuseField('unsubscribe', decision.problem);
  return decision.ok && decision.hasLink;
}

function isTag(tag: unknown): tag is string {
  return typeof tag === 'string' && tag.length <= MAX_TAG_CHARACTERS && !hasControlCharacter(tag);
}
