/** Whether a message may leave in the name of a domain, judged by its header alone. */
import { domainOf } from '../lib/mail/address.ts';
import { type AuthorProblem, findAuthor } from '../lib/mail/author.ts';
import { splitMessage } from '../lib/mail/header-block.ts';
import type { Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

/** A To field of a thousand recipients takes a quarter of it (HD-7). */
const MAX_HEADER_BYTES = 262_144;
/** RFC 5321 6.3: at least 100 is the advice for relays, submission starts at none (AD-8). */
const MAX_RECEIVED_FIELDS = 50;

const problemReplies: Readonly<Record<AuthorProblem, Reply>> = {
  malformed_header: replies.headerMalformed,
  missing_from: replies.fromMissing,
  several_from: replies.fromRepeated,
  invalid_from: replies.fromInvalid,
  invalid_sender: replies.senderFieldInvalid,
};

/** The reply that refuses the message; undefined when it may go. */
export function judgeMessage(message: Buffer, domain: string): Reply | undefined {
  if (headerBytes(message) > MAX_HEADER_BYTES) return replies.headerTooLarge;
  const { fields } = splitMessage(message);
  const author = findAuthor(fields);
  if (!author.ok) return problemReplies[author.reason];
  const addresses = [author.author, ...author.senders];
  if (addresses.some((address) => domainOf(address) !== domain)) return replies.senderNotAllowed;
  // Contract 4: From and To are needed. Who gets the message is said by RCPT alone, so a blind copy stays blind.
  if (!fields.some(({ name }) => name === 'to')) return replies.toMissing;
  const hops = fields.filter(({ name }) => name === 'received').length;
  return hops > MAX_RECEIVED_FIELDS ? replies.mailLoop : undefined;
}

function headerBytes(message: Buffer): number {
  const end = message.indexOf('\r\n\r\n');
  return end === -1 ? message.length : end;
}
