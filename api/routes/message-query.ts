/** The query of `GET /messages`, turned into what the models search for. */
import { normalizeAddress } from '../../lib/mail/address.ts';
import type { Reader } from '../models/message.ts';
import type { MessageFilter } from '../models/message-search.ts';
import { splitWords } from '../models/search-term.ts';
import type { MessageQuery } from '../schemas/messages.ts';
import { readCursor, writeCursor } from './message-cursor.ts';

const MIN_PREFIX_CHARACTERS = 3;

export type QueryResult =
  | {
      ok: true;
      filter: MessageFilter;
      page: { before: number | undefined; limit: number };
      cursorTo(position: number): string;
    }
  | { ok: false; errors: Record<string, string[]> };

/** @param domainIds those that the caller may see */
export function readMessageQuery(
  query: MessageQuery,
  reader: Reader,
  domainIds: readonly number[],
  cursorKey: Buffer,
): QueryResult {
  const errors: Record<string, string[]> = {};
  const refuse = (field: string, problem: string) => {
    errors[field] = [problem];
  };
  const owner = `${reader.organizationId} ${reader.domainId ?? ''}`;
  const before = query.cursor === undefined ? undefined : readCursor(cursorKey, query.cursor, owner);
  if (query.cursor !== undefined && before === undefined) refuse('cursor', 'is invalid');

  const recipient = query.recipient === undefined ? undefined : readRecipient(query.recipient);
  if (recipient?.isPrefix && recipient.text.length < MIN_PREFIX_CHARACTERS) {
    refuse('recipient', `needs ${MIN_PREFIX_CHARACTERS} characters before the *`);
  }
  if (query.subject !== undefined && splitWords(query.subject).length === 0) refuse('subject', 'has no word');
  const metadata = listOf(query.metadata).map((pair) => /^([^:]+):(.*)$/s.exec(pair));
  if (metadata.includes(null)) refuse('metadata', 'is not key:value');
  const [since, until] = [readMoment(query.since), readMoment(query.until)];
  if (since === null) refuse('since', 'is not a time');
  if (until === null) refuse('until', 'is not a time');

  if (Object.keys(errors).length > 0) return { ok: false, errors };
  const filter: MessageFilter = {
    domainIds: query.domain_id === undefined ? domainIds : domainIds.filter((id) => id === query.domain_id),
    recipient,
    subject: query.subject,
    tags: listOf(query.tag),
    messageId: query.message_id && withBrackets(query.message_id),
    metadata: Object.fromEntries(metadata.map((match) => [match?.[1] ?? '', match?.[2] ?? ''])),
    state: query.status,
    stream: query.stream,
    source: query.source,
    since: since ?? undefined,
    until: until ?? undefined,
  };
  return {
    ok: true,
    filter,
    page: { before, limit: query.limit },
    cursorTo: (position) => writeCursor(cursorKey, position, owner),
  };
}

/** `ann*` is a prefix. An address may be given with its domain in U-labels, as the mail was sent. */
function readRecipient(text: string): { text: string; isPrefix: boolean } {
  if (text.endsWith('*')) return { text: text.slice(0, -1), isPrefix: true };
  return { text: normalizeAddress(text) ?? text, isPrefix: false };
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : [value].flat();
}

/** Null: it has the form of a time and is none, as 23:59:60 or the 30th of February. */
function readMoment(text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined;
  const moment = new Date(text);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

function withBrackets(messageId: string): string {
  return messageId.startsWith('<') ? messageId : `<${messageId}>`;
}
