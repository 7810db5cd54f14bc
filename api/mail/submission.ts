/**
 * A message that came in over SMTP, as the gateway passes it on. It is judged again here, by the same parsers: the
 * gateway may run on cached credentials, and this is where the promise is given.
 */
import { randomUUID } from 'node:crypto';
import { refuseAccess } from '../../lib/access.ts';
import { domainOf, normalizeAddress } from '../../lib/mail/address.ts';
import { findAuthor } from '../../lib/mail/author.ts';
import { type HeaderField, splitMessage } from '../../lib/mail/header-block.ts';
import type { Submission } from '../../lib/rpc/contracts/submissions.ts';
import { type DomainCredential, refusalOf } from '../models/api-token.ts';
import type { NewMessage } from '../models/message.ts';
import { isGranted } from '../models/scope.ts';
import { readTags, translateContractFields } from './contract-fields.ts';
import { decodeField } from './decode-field.ts';
import type { ReadOptions } from './send-request.ts';
import { readSubmissionFields, removeSubmissionFields } from './submission-fields.ts';

export type SubmissionRefusal = {
  code:
    | 'credential_revoked'
    | 'sender_not_allowed'
    | 'sending_refused'
    | 'message_invalid'
    | 'message_too_large';
  message: string;
};

export type SubmissionResult = { ok: true; message: NewMessage } | ({ ok: false } & SubmissionRefusal);

const MAX_SUBJECT_CHARACTERS = 10_000;

/** @param credential of the submission's token; undefined when it was revoked or never was */
export async function readSubmission(
  submission: Submission,
  credential: DomainCredential | undefined,
  { limits, offersUnsubscribe }: ReadOptions,
): Promise<SubmissionResult> {
  if (!credential || !isGranted(credential.scopes, 'send')) {
    return refuse('credential_revoked', 'The API token is not valid any more');
  }
  if (refuseAccess(credential, submission.client.address)) {
    return refuse('credential_revoked', 'The API token may not be used from this address');
  }
  const refusal = refusalOf(credential);
  if (refusal) return refuse('sending_refused', refusal);

  const raw = Buffer.from(submission.message, 'base64');
  if (raw.length > limits.maxMessageBytes) return refuse('message_too_large', 'The message is too large');
  if (hasBadLineEnds(raw)) return refuse('message_invalid', 'The message has a bare CR, a bare LF or a NUL');

  const { fields } = splitMessage(raw);
  const author = findAuthor(fields);
  if (!author.ok) return refuse('message_invalid', `The header is not valid: ${author.reason}`);
  const { from, to } = submission.envelope;
  const claimed = [author.author, ...author.senders, ...(from === '' ? [] : [from])];
  if (claimed.some((address) => domainOf(address) !== credential.domain)) {
    return refuse('sender_not_allowed', `Only addresses of ${credential.domain} may send with this token`);
  }
  const recipients = to.map(normalizeAddress);
  if (
    !recipients.every((address) => address !== undefined) ||
    recipients.length > limits.maxEnvelopeRecipients
  ) {
    return refuse('message_invalid', 'The envelope is not valid');
  }
  const extras = await readSubmissionFields(fields, offersUnsubscribe);
  if (!extras.ok) return refuse('message_invalid', `The header is not valid: ${extras.problem}`);
  const { ok: _, ...terms } = extras;
  const message = await createMessage(submission, credential, raw, fields, recipients);
  return { ok: true, message: { ...message, ...terms, sendAt: null } };
}

async function createMessage(
  { submissionId, envelope, client }: Submission,
  credential: DomainCredential,
  raw: Buffer,
  fields: readonly HeaderField[],
  recipients: readonly string[],
): Promise<Omit<NewMessage, 'stream' | 'metadata' | 'hasUnsubscribeLink' | 'sendAt'>> {
  const { content, messageId } = addMissingFields(
    translateContractFields(removeSubmissionFields(raw)),
    fields,
    credential.domain,
  );
  return {
    credential,
    source: 'smtp',
    submissionId,
    envelopeFrom: envelope.from,
    fromHeader: readField(fields, 'from') ?? '',
    subject: await decodeSubject(fields),
    messageId,
    tags: await readTags(fields),
    content,
    recipients: [...new Set(recipients)].map((address) => ({ address, kind: kindOf(address, fields) })),
    acceptance: { source: 'smtp', client },
  };
}

/** RFC 6409 8.2 and 8.3: Date and Message-ID are added in front; no other byte changes. */
export function addMissingFields(
  raw: Buffer,
  fields: readonly HeaderField[],
  domain: string,
  now = new Date(),
): { content: Buffer; messageId: string } {
  const given = readField(fields, 'message-id');
  const messageId = given || `<${randomUUID()}@${domain}>`;
  const lines = given === undefined ? [`Message-ID: ${messageId}`] : [];
  if (readField(fields, 'date') === undefined)
    lines.push(`Date: ${now.toUTCString().replace('GMT', '+0000')}`);
  const head = lines.map((line) => `${line}\r\n`).join('');
  return { content: head ? Buffer.concat([Buffer.from(head), raw]) : raw, messageId };
}

/** SMTP smuggling starts with one of these (SM-1 to SM-12). */
export function hasBadLineEnds(raw: Buffer): boolean {
  if (raw.includes(0)) return true;
  for (let at = raw.indexOf('\n'); at !== -1; at = raw.indexOf('\n', at + 1))
    if (raw[at - 1] !== CR) return true;
  for (let at = raw.indexOf('\r'); at !== -1; at = raw.indexOf('\r', at + 1))
    if (raw[at + 1] !== LF) return true;
  return false;
}

const CR = 0x0d;
const LF = 0x0a;

/** In the envelope only: a blind copy. */
function kindOf(address: string, fields: readonly HeaderField[]): 'to' | 'cc' | 'bcc' {
  const isNamedIn = (name: string) =>
    fields.some((field) => field.name === name && field.value.includes(address));
  if (isNamedIn('to')) return 'to';
  return isNamedIn('cc') ? 'cc' : 'bcc';
}

async function decodeSubject(fields: readonly HeaderField[]): Promise<string | null> {
  const field = fields.find(({ name }) => name === 'subject');
  return field ? (await decodeField(field)).slice(0, MAX_SUBJECT_CHARACTERS) : null;
}

function readField(fields: readonly HeaderField[], name: string): string | undefined {
  return fields.find((field) => field.name === name)?.value;
}

function refuse(code: SubmissionRefusal['code'], message: string): SubmissionResult {
  return { ok: false, code, message };
}
