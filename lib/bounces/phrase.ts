/**
 * A phrase of a mail server, as it stands in a rule: "mailbox is full", or with an ellipsis for up to eighty characters
 * of anything: "mailbox ... is full". Case, quotes and the kind and number of spaces do not count.
 *
 * Not a regular expression: matching takes time in proportion to the text whatever the phrase, and an operator who
 * writes one needs no escapes.
 */

const MAX_GAP = 80;
const LETTER = /[\p{L}\p{N}]/u;
const ELLIPSIS = /\s*\.\.\.\s*/;

export type Phrase = readonly string[];

/** Undefined where there is nothing to look for. */
export function parsePhrase(text: string): Phrase | undefined {
  const parts = text.split(ELLIPSIS).map(normalizeText);
  return parts.length > 0 && parts.every((part) => part.length > 1) ? parts : undefined;
}

/** What phrases are looked for in: lower case, no quotes, single spaces. */
export function normalizeText(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/["'`“”‘’]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** @param text of normalizeText */
export function hasPhrase(text: string, phrase: Phrase): boolean {
  const [first = '', ...rest] = phrase;
  for (let start = findWord(text, first, 0); start >= 0; start = findWord(text, first, start + 1)) {
    if (follow(text, rest, start + first.length)) return true;
    if (rest.length === 0) return false;
  }
  return false;
}

/** Each part within reach of the one before; the nearest one leaves most room for the next. */
function follow(text: string, parts: Phrase, from: number): boolean {
  let end = from;
  for (const part of parts) {
    const start = findWord(text.slice(0, end + MAX_GAP + part.length), part, end);
    if (start < 0) return false;
    end = start + part.length;
  }
  return true;
}

/** Where the part stands at the beginning of a word: "ip" is not in "recipient". */
function findWord(text: string, part: string, from: number): number {
  let start = text.indexOf(part, from);
  while (start > 0 && LETTER.test(text[start - 1] ?? '') && LETTER.test(part[0] ?? ''))
    start = text.indexOf(part, start + 1);
  return start;
}
