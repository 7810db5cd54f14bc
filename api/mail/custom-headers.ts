/**
 * Header fields of the application's own. What the platform sets, what routes or authenticates mail, and what would
 * change the structure of the message is refused by name (HD-2).
 */
import { type FieldReader, hasControlCharacter } from './field-reader.ts';

export interface CustomHeader {
  name: string;
  value: string;
}

const MAX_HEADERS = 50;
const MAX_VALUE_CHARACTERS = 4_000;
/** A header is folded between words; no line may be longer than 998 bytes (RFC 5322 2.1.1). */
const MAX_WORD_CHARACTERS = 900;
/** Of RFC 5322's field names those that every server on the way takes. */
const NAME = /^[A-Za-z0-9][\w-]{0,75}$/;

const FORBIDDEN_NAMES = new Set(
  [
    // fields of the request, or set with the message
    'From Sender To Cc Bcc Reply-To Subject Date Message-ID In-Reply-To References MIME-Version',
    'List-Unsubscribe List-Unsubscribe-Post',
    // written on the way and at the end of it
    'Return-Path Received Received-SPF Authentication-Results Delivered-To Envelope-To Envelope-From X-Original-To',
    'X-Received BIMI-Location BIMI-Indicator Apparently-To Errors-To TLS-Required',
    // signatures
    'DKIM-Signature DomainKey-Signature X-Google-DKIM-Signature',
    // what ZoneMTA reads
    'X-Sending-Zone X-FBL',
  ]
    .join(' ')
    .toLowerCase()
    .split(' '),
);
const FORBIDDEN_FAMILIES =
  /^(content|resent|arc|x-postern|x-mailpace|x-ohmysmtp|x-oms|x-spam|x-rspamd|x-virus)-/;

/** In the order of the request. */
export function readCustomHeaders(reader: FieldReader): CustomHeader[] {
  const value = reader.value('headers');
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    reader.refuseField('headers', 'is not an object');
    return [];
  }
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > MAX_HEADERS) reader.refuseField('headers', `has more than ${MAX_HEADERS} fields`);
  const seen = new Set<string>();
  const headers: CustomHeader[] = [];
  for (const [name, text] of entries) {
    const problem = findProblem(name, text, seen);
    if (problem) reader.refuseField(problem.field, problem.text);
    else if (typeof text === 'string') headers.push({ name, value: text.trim() });
    if (reader.problem) return [];
  }
  return headers;
}

function findProblem(
  name: string,
  value: unknown,
  seen: Set<string>,
): { field: string; text: string } | undefined {
  if (!NAME.test(name)) return { field: 'headers', text: 'has an invalid name' };
  const field = `headers.${name}`;
  const key = name.toLowerCase();
  if (FORBIDDEN_NAMES.has(key) || FORBIDDEN_FAMILIES.test(key)) {
    return { field, text: 'may not be set' };
  }
  if (seen.has(key)) return { field, text: 'is given twice' };
  seen.add(key);
  return isValue(value) ? undefined : { field, text: 'is invalid' };
}

function isValue(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value.trim() !== '' &&
    value.length <= MAX_VALUE_CHARACTERS &&
    !hasControlCharacter(value) &&
    value.split(/[ \t]+/).every((word) => word.length <= MAX_WORD_CHARACTERS)
  );
}
