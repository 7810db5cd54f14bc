/**
 * The one decision of what a mail address is, for api, gateway and queue alike (AD-1, AD-2).
 *
 * It is narrower than RFC 5322: what two parsers could read in two ways is refused, because the address that was
 * checked here must be the address that is routed later (CVE-2025-13033, espoofer).
 */
import { domainToASCII, domainToUnicode } from 'node:url';

/** RFC 5321 4.5.3.1.1 */
const MAX_LOCAL_BYTES = 64;
/** RFC 5321 4.5.3.1.3: a path has 256 octets with its angle brackets */
const MAX_ADDRESS_BYTES = 254;
/** Fifty addresses with long names need a tenth of it (contract 1.2). */
const MAX_LIST_CHARACTERS = 100_000;

/** RFC 5322 3.2.3 dot-atom; RFC 6531 3.3 adds letters, marks, digits and symbols beyond ASCII. */
const ATOM = String.raw`(?:[\w!#$%&'*+/=?^\x60{|}~\-]|(?![\0-\x7f\ufffd])[\p{L}\p{M}\p{N}\p{S}])+`;
const DOT_ATOM = new RegExp(String.raw`^${ATOM}(?:\.${ATOM})*$`, 'u');
/** A quoted local part without `"`, `\`, `<`, `>`, `@`, `,`, `;`, `:`, `(`, `)`: nothing that ends a token elsewhere. */
const QUOTED_LOCAL = /^"[\w !#$%&'*+/=?^`{|}~.[\]-]+"$/;
/** RFC 1035 2.3.4, RFC 1123 2.1 */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Every control character but tab, and the line ends of Unicode (HD-1). */
const FORBIDDEN_IN_LIST = /(?!\t)\p{Cc}|[\u2028\u2029]/u;

const WHITESPACE = /[ \t]+/y;
const QUOTED_STRING = /"((?:[^"\\]|\\.)*)"/y;
/** Flat, and without anything that looks like an address to a parser that does not know comments. */
const COMMENT = /\(([^()<>@"\\]*)\)/y;
const ANGLE_ADDRESS = /<([^<>]*)>/y;
const WORD = /[^ \t"(),:;<>\\]+/y;

export interface Mailbox {
  /** Display name without its quotes; empty when there is none. Encoded words stay encoded. */
  name: string;
  address: string;
}

/**
 * An addr-spec with the local part unchanged and the domain lower case, in A-labels; undefined when it is not valid.
 * No address literals, ports, trailing dots, single-label domains, source routes, or letters that IDNA maps to others.
 */
export function normalizeAddress(text: string): string | undefined {
  if (text.length > MAX_ADDRESS_BYTES || !text.isWellFormed()) return undefined;
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  if (at < 1 || Buffer.byteLength(local) > MAX_LOCAL_BYTES) return undefined;
  if (!DOT_ATOM.test(local) && !QUOTED_LOCAL.test(local)) return undefined;
  const domain = normalizeDomain(text.slice(at + 1));
  if (domain === undefined) return undefined;
  const address = `${local}@${domain}`;
  return Buffer.byteLength(address) <= MAX_ADDRESS_BYTES ? address : undefined;
}

/** A host name of two labels or more, lower case and in A-labels; undefined when it is not one. */
export function normalizeDomain(text: string): string | undefined {
  const asked = text.normalize('NFC').toLowerCase();
  const ascii = domainToASCII(asked);
  const unicode = domainToUnicode(ascii);
  // domainToASCII forgives: it cuts at "/", decodes "%41", drops soft hyphens, reads "Ⅳ" as "iv".
  if (asked !== ascii && asked !== unicode) return undefined;
  if (domainToASCII(unicode) !== ascii || /(?:^|\.)xn--/.test(unicode)) return undefined; // not Punycode
  const labels = ascii.split('.');
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label))) return undefined;
  return /^[a-z]/.test(labels.at(-1) ?? '') ? ascii : undefined; // else an IPv4 address
}

/** What stands behind the last unquoted @; empty when there is none. */
export function domainOf(address: string): string {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return domain.length === address.length || domain.includes('"') ? '' : domain;
}

/**
 * A comma separated list as clients and From fields write it: `a@b.example`, `Name <a@b.example>`,
 * `"Last, First" <a@b.example>`, `a@b.example (Name)`. Undefined when any part is not a valid mailbox, the text is
 * empty or longer than 100,000 characters, or it holds a control character. Groups are refused. Linear time.
 */
export function parseMailboxes(text: string): Mailbox[] | undefined {
  if (text.length > MAX_LIST_CHARACTERS || !text.isWellFormed()) return undefined;
  if (FORBIDDEN_IN_LIST.test(text)) return undefined;
  const mailboxes: Mailbox[] = [];
  for (let position = 0; position <= text.length; position += 1) {
    const part = readPart(text, position);
    const mailbox = part && toMailbox(part);
    if (!mailbox) return undefined;
    mailboxes.push(mailbox);
    position = part.end;
  }
  return mailboxes;
}

/** One element of a list, still unchecked; `end` is where its comma stands, or the end of the text. */
interface Part {
  raw: string;
  phrase: string;
  hasBareAt: boolean;
  comment: string;
  angle?: string;
  end: number;
}

function readPart(text: string, start: number): Part | undefined {
  const part: Part = { raw: '', phrase: '', hasBareAt: false, comment: '', end: start };
  const read = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = part.end;
    const match = pattern.exec(text);
    if (match) part.end = pattern.lastIndex;
    return match;
  };
  while (part.end < text.length && text[part.end] !== ',') {
    const space = read(WHITESPACE);
    const comment = space ?? read(COMMENT);
    if (comment) {
      part.raw += ' ';
      part.phrase += ' ';
      part.comment = comment[1]?.trim() || part.comment;
      continue;
    }
    if (part.angle !== undefined) return undefined; // nothing follows the angle address
    const angle = read(ANGLE_ADDRESS);
    if (angle) {
      part.angle = angle[1] ?? '';
      continue;
    }
    const quoted = read(QUOTED_STRING);
    const word = quoted ?? read(WORD);
    if (!word) return undefined;
    part.raw += word[0];
    part.phrase += quoted ? (quoted[1] ?? '').replaceAll(/\\(.)/gu, '$1') : word[0];
    part.hasBareAt ||= !quoted && word[0].includes('@');
  }
  return part;
}

function toMailbox({ raw, phrase, hasBareAt, comment, angle }: Part): Mailbox | undefined {
  if (angle !== undefined && hasBareAt) return undefined; // `a@b.example <c@d.example>`: two addresses to some
  const address = normalizeAddress((angle ?? raw).trim());
  if (address === undefined) return undefined;
  return { name: angle === undefined ? comment : phrase.trim() || comment, address };
}
