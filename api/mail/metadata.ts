/** What an application attaches to a message for itself: a flat object of strings, which never leaves in the mail. */
import { type FieldReader, hasControlCharacter } from './field-reader.ts';

export type Metadata = Record<string, string>;

export const MAX_METADATA_KEYS = 50;
export const MAX_METADATA_CHARACTERS = 500;
/** No `__proto__`, and nothing that a query string or a column name would have to quote. */
const KEY = /^[A-Za-z0-9][\w.-]{0,39}$/;

export type MetadataResult = { ok: true; metadata: Metadata } | { ok: false; field: string; problem: string };

/** Its first problem with the path of the field. */
export function parseMetadata(value: unknown): MetadataResult {
  const refuse = (problem: string, field = 'metadata') => ({ ok: false, field, problem }) as const;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('is not an object');
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > MAX_METADATA_KEYS) return refuse(`has more than ${MAX_METADATA_KEYS} keys`);
  const metadata: [string, string][] = [];
  for (const [key, text] of entries) {
    if (!KEY.test(key)) return refuse('has an invalid key');
    const field = `metadata.${key}`;
    if (typeof text !== 'string') return refuse('is not a string', field);
    if (text.length > MAX_METADATA_CHARACTERS) {
      return refuse(`is longer than ${MAX_METADATA_CHARACTERS} characters`, field);
    }
    if (hasControlCharacter(text)) return refuse('is invalid', field);
    metadata.push([key, text]);
  }
  return { ok: true, metadata: Object.fromEntries(metadata) };
}

export function readMetadata(reader: FieldReader): Metadata {
  const value = reader.value('metadata');
  if (value === undefined) return {};
  const result = parseMetadata(value);
  if (result.ok) return result.metadata;
  reader.refuseField(result.field, result.problem);
  return {};
}
