/**
 * Every reply of the inbound server that is not a plain 2xx, and the words of Haraka that are put in ours: enhanced
 * codes in front (RFC 2034), and nothing of what the client sent.
 */
import { type Reply, createReply as reply, withText } from '../lib/mail/reply.ts';

export const replies = {
  // The session
  tooManyConnections: reply(421, '4.3.2', 'Too many connections, try again later'),
  tooManyClientConnections: reply(421, '4.7.0', 'Too many connections from your address'),
  tooManyNewConnections: reply(421, '4.7.0', 'Too many new connections from your address, slow down'),
  shuttingDown: reply(421, '4.3.2', 'Shutting down, try again'),
  timedOut: reply(421, '4.4.2', 'Timeout, closing connection'),
  tooSlow: reply(421, '4.4.2', 'The message comes in too slowly'),
  tooManyErrors: reply(421, '4.7.0', 'Too many errors'),
  internalError: reply(451, '4.3.0', 'Internal error, try again later'),

  // The envelope
  senderInvalid: reply(501, '5.1.7', 'Bad sender address syntax'),
  sizeInvalid: reply(501, '5.5.4', 'SIZE is not a number'),
  utf8NotAnnounced: reply(553, '5.6.7', 'The address needs the SMTPUTF8 parameter of MAIL'),
  recipientInvalid: reply(553, '5.1.3', 'Bad recipient address'),
  recipientUnknown: reply(550, '5.1.1', 'No such recipient here'),
  recipientUndecided: reply(451, '4.3.0', 'Recipients cannot be looked up now, try again later'),
  tooManyRecipients: reply(452, '4.5.3', 'Too many recipients'),
  otherPolicy: reply(452, '4.5.3', 'This recipient needs a transaction of its own'),
  flooded: reply(421, '4.7.0', 'Too many recipients, closing connection'),

  // The message
  bareLineEnd: reply(550, '5.6.0', 'The message has a CR or an LF that is not part of a CRLF'),
  nulByte: reply(550, '5.6.0', 'The message has a NUL byte'),
  lineTooLong: reply(550, '5.6.0', 'The message has a line that is too long'),
  headerTooLarge: reply(552, '5.3.4', 'The message header is too large'),
  messageTooLarge: reply(552, '5.3.4', 'Message too large'),
  memoryFull: reply(452, '4.3.1', 'Too much mail in transit, try again later'),
  mailLoop: reply(554, '5.4.6', 'Too many Received fields, this is a mail loop'),
  refusedByDmarc: reply(550, '5.7.1', 'Refused by the DMARC policy of the domain in From'),
  spam: reply(550, '5.7.1', 'The message looks like spam'),
  infected: reply(550, '5.7.1', 'The message has a virus'),
  notTakenOver: reply(451, '4.3.0', 'The message could not be taken over, try again later'),
  messageInvalid: reply(550, '5.6.0', 'The message is not valid'),
  accepted: reply(250, '2.0.0', 'Ok: taken over'),
} as const satisfies Record<string, Reply>;

export type ReplyName = keyof typeof replies;

/** What Haraka says, by how it begins */
const HARAKA_WORDS: readonly (readonly [start: string, reply: Reply])[] = [
  ['Message too big', replies.messageTooLarge],
  ['Too many received headers', replies.mailLoop],
  ['Invalid MAIL FROM address', replies.senderInvalid],
  ['Invalid RCPT TO address', replies.recipientInvalid],
  ['Command line too long', reply(500, '5.5.2', 'Command line too long')],
  ['SSL attempted', reply(421, '4.7.0', 'This is an SMTP server')],
  ['Message is infected', replies.infected],
];

/** By code, for what has no words of its own above */
const ENHANCED_CODES: Readonly<Record<number, string>> = {
  221: '2.0.0',
  250: '2.0.0',
  252: '2.0.0',
  421: '4.3.2',
  450: '4.7.1',
  451: '4.3.0',
  452: '4.3.1',
  500: '5.5.1',
  501: '5.5.4',
  502: '5.5.1',
  503: '5.5.1',
  521: '5.5.2',
  550: '5.7.1',
  554: '5.5.1',
  555: '5.5.4',
};

/**
 * The reply in place of Haraka's; undefined where its own stands: greeting, EHLO and HELO, 354.
 * @param text one line or, to EHLO, several
 */
export function translateReply(code: number, text: unknown, hostname: string): Reply | undefined {
  if (Array.isArray(text) && code < 400) return undefined;
  const line = Array.isArray(text) ? String(text[0]) : String(text);
  const known = HARAKA_WORDS.find(([start]) => line.startsWith(start))?.[1];
  if (known) return known;
  const enhanced = ENHANCED_CODES[code];
  if (!enhanced || line.startsWith(`${hostname} Hello`) || /^[245]\.\d+\.\d+ /.test(line)) return undefined;
  return withText({ code, enhanced }, line);
}
