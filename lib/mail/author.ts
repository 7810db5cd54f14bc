/**
 * Who a message says it is from, for the check against the sender's own domain (AD-4, HD-5).
 *
 * A receiver's parser may read an odd header in another way than we do, and show another author (espoofer). So
 * nothing odd is interpreted here: a header that leaves a choice is refused with the reason.
 */
import { parseMailboxes } from './address.ts';
import type { HeaderField } from './header-block.ts';

export type AuthorProblem =
  /** A line that is no header field, a folded line of whitespace only, or one that looks like a From field. */
  | 'malformed_header'
  | 'missing_from'
  | 'several_from'
  /** Not exactly one plain mailbox: a list, a group, an encoded address, no address at all. */
  | 'invalid_from'
  /** Sender, Resent-From or Resent-Sender cannot be read, or Sender is given twice. */
  | 'invalid_sender';

export type AuthorResult =
  | {
      ok: true;
      /** The one address of the From field. */
      author: string;
      /** Addresses of Sender, Resent-From and Resent-Sender. */
      senders: string[];
    }
  | { ok: false; reason: AuthorProblem };

/** All that a header claims of its origin; the domain of each address is the caller's to check. */
export function findAuthor(fields: readonly HeaderField[]): AuthorResult {
  if (fields.some(isMalformed)) return { ok: false, reason: 'malformed_header' };

  const [from, ...others] = fields.filter(({ name }) => name === 'from');
  if (!from) return { ok: false, reason: 'missing_from' };
  if (others.length > 0) return { ok: false, reason: 'several_from' };
  const [author, ...coauthors] = readAddresses(from) ?? [];
  if (author === undefined || coauthors.length > 0) return { ok: false, reason: 'invalid_from' };

  const senders = readSenders(fields);
  return senders ? { ok: true, author, senders } : { ok: false, reason: 'invalid_sender' };
}

function isMalformed({ name, raw }: HeaderField): boolean {
  if (name === '') return true;
  const [, ...folded] = raw.toString('latin1').split('\r\n').slice(0, -1);
  // A DKIM-Signature may fold before `from:` of its h= list: it has no address there.
  return folded.some(
    (line) => /^[ \t]*$/.test(line) || /^[ \t]+(resent-)?(from|sender)[ \t]*:.*@/i.test(line),
  );
}

function readSenders(fields: readonly HeaderField[]): string[] | undefined {
  if (fields.filter(({ name }) => name === 'sender').length > 1) return undefined;
  const addresses: string[] = [];
  for (const field of fields) {
    if (!['sender', 'resent-from', 'resent-sender'].includes(field.name)) continue;
    const read = readAddresses(field);
    if (!read || (field.name !== 'resent-from' && read.length > 1)) return undefined;
    addresses.push(...read);
  }
  return addresses;
}

function readAddresses({ value }: HeaderField): string[] | undefined {
  if (hasHiddenLineEnd(value)) return undefined;
  const addresses = parseMailboxes(value)?.map(({ address }) => address);
  // RFC 2047 5: never in an addr-spec, but some decode it there.
  return addresses?.some((address) => address.includes('=?')) ? undefined : addresses;
}

/** Whether an encoded word (RFC 2047) hides NUL, CR or LF. Other controls are the shifts of ISO-2022-JP. */
function hasHiddenLineEnd(value: string): boolean {
  for (const [, encoding = '', text = ''] of value.matchAll(/=\?[^?\s]*\?([bq])\?([^?\s]*)\?=/gi)) {
    const decoded =
      encoding.toLowerCase() === 'b'
        ? Buffer.from(text, 'base64').toString('latin1')
        : text.replaceAll(/=([0-9a-f]{2})/gi, (_, hex: string) =>
            String.fromCharCode(Number.parseInt(hex, 16)),
          );
    if (/[\0\r\n]/.test(decoded)) return true;
  }
  return false;
}
