/**
 * What smtp-server says by itself, in our words: it knows one enhanced code for each code, and 421 there is always
 * "connection timed out". Texts that do not stand here pass unchanged.
 */
import type { Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

/** By smtp-server's text. A test looks each of them up in the installed version. */
export const libraryReplies: Readonly<Record<string, Reply>> = {
  'Timeout - closing connection': replies.timedOut,
  'Server shutting down': replies.shuttingDown,
  'HTTP requests not allowed': replies.wrongProtocol,
  'Error: too many unrecognized commands': replies.tooManyErrors,
  'Error: too many unauthenticated commands': replies.tooManyErrors,
  'Error: Command line too long': replies.commandTooLong,
  'Error: command not recognized': replies.commandUnknown,
  'Error: Must issue a STARTTLS command first': replies.encryptionRequired,
  'Error: authentication Required': replies.authenticationRequired,
  'Error: Bad sender address syntax': replies.senderInvalid,
  'Error: Bad recipient address syntax': replies.recipientInvalid,
  'Error: too many recipients': replies.tooManyRecipients,
  'Error: message exceeds fixed maximum message size ': replies.messageTooLarge,
  ' You talk too soon': replies.spokeTooSoon,
  'Error: internal server error': replies.internalError,
};

const texts = Object.keys(libraryReplies);

/** Our reply in the place of the library's; undefined where the library's is right. */
export function correctReply(text: string, { isSecure }: { isSecure: boolean }): Reply | undefined {
  // The library puts the size behind one text and the host name before another.
  const known = texts.find((candidate) => text.startsWith(candidate) || text.endsWith(candidate));
  const reply = known === undefined ? undefined : libraryReplies[known];
  return reply === replies.authenticationRequired && !isSecure ? replies.starttlsRequired : reply;
}
