/** What a command line must be before anybody asks what it means. */
import type { Reply } from '../lib/mail/reply.ts';
import { replies } from './replies.ts';

/** RFC 5321 4.5.3.1.4 asks for 512 octets, extensions add a few hundred. AUTH alone may be longer (RFC 4954 4). */
const MAX_LINE_BYTES = 2_048;
const CONTROL_CHARACTERS = /\p{Cc}/u;
/** Commands of SMTP that are not offered here (CM-8, CM-10) */
const UNOFFERED_COMMANDS = new Set(['BDAT', 'ETRN', 'EXPN', 'SAML', 'SEND', 'SOML', 'TURN']);
/** RFC 5321 4.1.1 */
const COMMANDS_WITHOUT_ARGUMENT = new Set(['DATA', 'QUIT', 'RSET']);
/** RFC 3030 2 */
const BDAT = /^BDAT (\d{1,15})(?: LAST)?\s*$/i;
/** RFC 4648 4, with its padding */
const BASE64 = /^(?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?$/i;

/** Upper case; empty when the line begins with a space */
export function verbOf(line: Buffer): string {
  return (line.toString('latin1').split(' ', 1)[0] ?? '').toUpperCase();
}

/** The reply that refuses the line; undefined when it may be carried out. */
export function judgeCommandLine(line: Buffer): Reply | undefined {
  const verb = verbOf(line);
  if (verb !== 'AUTH' && line.length > MAX_LINE_BYTES) return replies.commandTooLong;
  if (CONTROL_CHARACTERS.test(line.toString())) return replies.controlCharacter;
  if (UNOFFERED_COMMANDS.has(verb)) return replies.commandNotOffered;
  const [, ...words] = line.toString('latin1').trim().split(/ +/);
  if (COMMANDS_WITHOUT_ARGUMENT.has(verb) && words.length > 0) return replies.argumentUnexpected;
  if (verb === 'AUTH' && words[1] !== undefined && words[1] !== '=') return judgeBase64(words[1]);
  return undefined;
}

/** The same for the client's lines within AUTH; `*` gives AUTH up. RFC 4954 4: what is not base64 is 501 (AU-5). */
export function judgeAuthenticationLine(line: Buffer): Reply | undefined {
  const text = line.toString('latin1');
  return text === '*' ? undefined : judgeBase64(text);
}

/** How many octets follow a BDAT, which are no commands although it is refused. */
export function readBdatOctets(line: Buffer): number | undefined {
  const octets = BDAT.exec(line.toString('latin1'))?.[1];
  return octets === undefined ? undefined : Number(octets);
}

function judgeBase64(text: string): Reply | undefined {
  return BASE64.test(text) ? undefined : replies.base64Invalid;
}
