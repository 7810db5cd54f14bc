/**
 * The header fields by which SMTP clients of the contract (section 4) say what a JSON client says in `tags` and
 * `list_unsubscribe`, in every spelling that clients in use have. What is meant for Postern does not go on.
 */
import { type HeaderField, splitMessage } from '../../lib/mail/header-block.ts';
import { decodeField } from './decode-field.ts';

const TAG_FIELDS = new Set(['x-mailpace-tags', 'x-ohmysmtp-tags', 'x-oms-tags']);
const LIST_UNSUBSCRIBE = 'list-unsubscribe';
const X_LIST_UNSUBSCRIBE = 'x-list-unsubscribe';
const MAX_TAGS = 100;
const MAX_TAG_CHARACTERS = 255;

/** `one` or `a, b, c`; all tag fields together, each tag once. */
export async function readTags(fields: readonly HeaderField[]): Promise<string[]> {
  const values = await Promise.all(fields.filter(({ name }) => TAG_FIELDS.has(name)).map(decodeField));
  const tags = values.flatMap((value) => value.split(','));
  const trimmed = tags.map((tag) => tag.trim().slice(0, MAX_TAG_CHARACTERS)).filter(Boolean);
  return [...new Set(trimmed)].slice(0, MAX_TAGS);
}

/**
 * The message without its tag fields, and with the first X-List-Unsubscribe as List-Unsubscribe, unless it has a
 * List-Unsubscribe of its own (RFC 2369 3.4: there is one). All other bytes stay.
 */
export function translateContractFields(message: Buffer): Buffer {
  const { fields, rest } = splitMessage(message);
  const unsubscribe =
    fields.find(({ name }) => name === LIST_UNSUBSCRIBE) ??
    fields.find(({ name, value }) => name === X_LIST_UNSUBSCRIBE && value !== '');
  const translated = fields.flatMap((field) => {
    if (TAG_FIELDS.has(field.name)) return [];
    if (field.name !== X_LIST_UNSUBSCRIBE) return [field.raw];
    return field === unsubscribe ? [rename(field, 'List-Unsubscribe')] : [];
  });
  const isUnchanged = translated.length === fields.length && unsubscribe?.name !== X_LIST_UNSUBSCRIBE;
  return isUnchanged ? message : Buffer.concat([...translated, rest]);
}

function rename({ raw }: HeaderField, name: string): Buffer {
  return Buffer.concat([Buffer.from(name), raw.subarray(raw.indexOf(':'))]);
}
