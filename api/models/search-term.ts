/**
 * What a message is found by, one index for all of it: words of the subject, tags, metadata, the Message-ID. A term
 * begins with the id of the domain, so that what is common in one domain is no burden on the search in another.
 */
import { createHash } from 'node:crypto';
import type { Stream } from './stream.ts';

const MAX_SUBJECT_WORDS = 60;
const MAX_WORD_CHARACTERS = 64;
/** An entry of a Postgres index may not be much longer than 2,000 bytes; a longer term is kept as its digest. */
const MAX_TERM_BYTES = 200;

/** Scripts that put no spaces between words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}]/u;
const NO_WORD = /[^\p{L}\p{M}\p{N}]+/u;
const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

/** Of a message, or what is asked of one. */
export interface Terms {
  subject?: string | null | undefined;
  tags?: readonly string[] | undefined;
  messageId?: string | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  stream?: Stream | undefined;
}

/** Without the domain: `withDomain` puts it in front. */
export function listTerms({ subject, tags, messageId, metadata, stream }: Terms): string[] {
  const terms = [
    ...splitWords(subject ?? '').map((word) => `w:${word}`),
    ...(tags ?? []).map((tag) => `t:${tag}`),
    ...Object.entries(metadata ?? {}).map(([key, value]) => `m:${key}=${value}`),
    ...(messageId === undefined ? [] : [`i:${messageId}`]),
    ...(stream === 'bulk' ? ['s:bulk'] : []), // the other stream is most of the mail: no index helps to find it
  ];
  return [...new Set(terms.map(shorten))];
}

export function withDomain(domainId: number, terms: readonly string[]): string[] {
  return terms.map((term) => `${domainId}${term}`);
}

/** Lower case, compatibility forms folded, in the order they stand. */
export function splitWords(text: string): string[] {
  const folded = text.normalize('NFKC').toLowerCase();
  const parts = UNSPACED.test(folded)
    ? [...segmenter.segment(folded)].map(({ segment }) => segment)
    : folded.split(NO_WORD);
  return parts
    .flatMap((part) => part.split(NO_WORD))
    .filter(Boolean)
    .slice(0, MAX_SUBJECT_WORDS)
    .map((word) => word.slice(0, MAX_WORD_CHARACTERS));
}

function shorten(term: string): string {
  if (Buffer.byteLength(term) <= MAX_TERM_BYTES) return term;
  return `${term.slice(0, 2)}#${createHash('sha256').update(term).digest('hex')}`;
}
