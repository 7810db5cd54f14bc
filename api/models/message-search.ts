/**
 * The search through messages, newest first.
 *
 * Each kind of search has its index: the recipient's address, the terms of a message (search-term.ts), or the messages
 * of the domain. It runs over ranges of ids that grow, from the newest on, and ends when the page is full: what is
 * common is found in the first thousands, what is rare by its index. A search that has looked for two seconds answers
 * with what it has and where to go on.
 */
import type { Queryable } from '../database.ts';
import { toStorable } from './event.ts';
import type { MessageSource, Reader } from './message.ts';
import { type IdRange, listIdRanges } from './partition.ts';
import { listTerms, type Terms } from './search-term.ts';
import { Parameters } from './sql-parameters.ts';
import type { State } from './state.ts';

const BUDGET_MS = 2_000;
/** Of the first range; each further one is ten times as long, until one is a whole partition. */
const FIRST_RANGE_IDS = 20_000;
const GROWTH = 10;
/** Ids and times of concurrent messages may disagree by this much (find_message_id_at). */
const CLOCK_SLACK_MS = 60_000;

export interface MessageFilter extends Terms {
  domainIds: readonly number[];
  /** An address in any case; `isPrefix`: all that begin so */
  recipient?: { text: string; isPrefix: boolean } | undefined;
  state?: State | undefined;
  source?: MessageSource | undefined;
  /** Inclusive */
  since?: Date | undefined;
  /** Exclusive */
  until?: Date | undefined;
}

export interface SearchResult {
  ids: number[];
  /** Older ids than this were not looked at; undefined: all were. */
  next: number | undefined;
}

/** @param before ids below it; undefined: from the newest on */
export async function searchMessages(
  db: Queryable,
  filter: MessageFilter,
  { before, limit }: { before?: number | undefined; limit: number },
): Promise<SearchResult> {
  const deadline = performance.now() + BUDGET_MS;
  const ids: number[] = [];
  for (const range of await planRanges(db, filter, before)) {
    ids.push(...(await searchRange(db, filter, range, limit - ids.length)));
    if (ids.length >= limit) return { ids, next: ids.at(-1) };
    if (performance.now() > deadline) return { ids, next: range.from };
  }
  return { ids, next: undefined };
}

/** The domains whose messages a reader may see. */
export async function listReadableDomains(
  db: Queryable,
  { organizationId, domainId }: Reader,
): Promise<number[]> {
  if (domainId !== undefined) return [domainId];
  const { rows } = await db.query<{ id: number }>(
    'select id from domains where organization_id = $1 order by id',
    [organizationId],
  );
  return rows.map((row) => row.id);
}

async function planRanges(db: Queryable, filter: MessageFilter, before?: number): Promise<IdRange[]> {
  if (filter.domainIds.length === 0) return [];
  const { since, until } = filter;
  const [from, to] = await Promise.all([
    since ? findIdAt(db, new Date(since.getTime() - CLOCK_SLACK_MS)) : 0,
    until ? findIdAt(db, new Date(until.getTime() + CLOCK_SLACK_MS)) : Number.POSITIVE_INFINITY,
  ]);
  const ranges = await listIdRanges(db, Math.min(to, before ?? Number.POSITIVE_INFINITY));
  return cutRanges(ranges, from);
}

/** The ranges from `from` on, the newest of them in growing pieces. Pure. */
export function cutRanges(ranges: readonly IdRange[], from: number): IdRange[] {
  const pieces: IdRange[] = [];
  let length = FIRST_RANGE_IDS;
  for (const range of ranges) {
    const lower = Math.max(range.from, from);
    let end = range.to;
    while (end > lower) {
      const start = Math.max(lower, end - length);
      pieces.push({ from: start, to: end });
      end = start;
      length *= GROWTH;
    }
  }
  return pieces;
}

async function findIdAt(db: Queryable, moment: Date): Promise<number> {
  const { rows } = await db.query<{ id: number }>('select find_message_id_at($1) as id', [moment]);
  return rows[0]?.id ?? 0;
}

async function searchRange(
  db: Queryable,
  filter: MessageFilter,
  range: IdRange,
  limit: number,
): Promise<number[]> {
  const { text, values } = buildSearch(filter, range, limit);
  const { rows } = await db.query<{ id: number }>(text, values);
  return rows.map((row) => row.id);
}

/** One range, from the index that narrows most; the rest is asked of each message that it names. */
export function buildSearch(filter: MessageFilter, { from, to }: IdRange, limit: number) {
  const parameters = new Parameters();
  const add = (value: unknown) => parameters.add(value);
  const [lower, upper, count] = [add(from), add(to), add(limit)];
  const inRange = (column: string) => `${column} >= ${lower} and ${column} < ${upper}`;
  const terms = toStorable(listTerms(filter));
  const text =
    terms.length > 0 && !filter.recipient
      ? findByTerms(filter, terms, inRange, add, count)
      : findByDomains(filter, terms, inRange, add, count);
  return { text, values: parameters.values };
}

type Add = (value: unknown) => string;
type InRange = (column: string) => string;

/**
 * Each term may stand there for any of the domains: a message's terms all begin with its own. As plain values, of which
 * Postgres has statistics, and in no order that an index has: or it would rather walk through all messages from the
 * newest on, hoping that the page is soon full.
 */
function findByTerms(
  filter: MessageFilter,
  terms: readonly string[],
  inRange: InRange,
  add: Add,
  count: string,
): string {
  const named = terms.map((term) => `terms && ${add(filter.domainIds.map((id) => `${id}${term}`))}::text[]`);
  return `
    select message_id as id
      from message_terms found
     where ${join([...named, inRange('message_id'), isWanted(filter, inRange, add)])}
     order by message_id + 0 desc
     limit ${count}`;
}

/** Domain by domain: each has its own end of the index, however many messages the others have. */
function findByDomains(
  filter: MessageFilter,
  terms: readonly string[],
  inRange: InRange,
  add: Add,
  count: string,
): string {
  return `
    select found.id
      from unnest(${add(filter.domainIds)}::bigint[]) as domain (id)
     cross join lateral (${findInDomain(filter, terms, inRange, add)} order by id desc limit ${count}) as found
     order by found.id desc
     limit ${count}`;
}

function findInDomain(filter: MessageFilter, terms: readonly string[], inRange: InRange, add: Add): string {
  if (!filter.recipient) {
    return `select message.id from messages message
             where ${join(['message.domain_id = domain.id', inRange('message.id'), ...listConditions(filter, add)])}`;
  }
  const hasTerms =
    terms.length > 0 &&
    `exists (select from message_terms named
              where named.message_id = found.message_id and ${inRange('named.message_id')}
                and named.terms @> array(select domain.id || term from unnest(${add(terms)}::text[]) as term))`;
  const isNamed = matchAddress(filter.recipient, add);
  return `select distinct message_id as id from recipients found
           where ${join(['domain_id = domain.id', isNamed, inRange('message_id'), hasTerms, isWanted(filter, inRange, add)])}`;
}

/** False where only the index decides. */
function isWanted(filter: MessageFilter, inRange: InRange, add: Add): string | false {
  const conditions = listConditions(filter, add);
  return (
    conditions.length > 0 &&
    `exists (select from messages message
              where message.id = found.message_id and ${inRange('message.id')}
                and message.domain_id = any(${add(filter.domainIds)}::bigint[]) and ${conditions.join(' and ')})`
  );
}

function join(conditions: (string | false)[]): string {
  return conditions.filter((condition) => condition !== false).join(' and ');
}

function matchAddress({ text, isPrefix }: NonNullable<MessageFilter['recipient']>, add: Add): string {
  if (isPrefix) return `lower(address) like ${add(escapeLike(text))}`;
  return `lower(address) = lower(${add(toStorable(text))})`;
}

/** What only the messages themselves can say; under the alias `message`. */
function listConditions({ state, source, stream, since, until }: MessageFilter, add: Add): string[] {
  const conditions: string[] = [];
  if (state !== undefined) conditions.push(`message.state = ${add(state)}`);
  // What the index of the unsettled asks for, word for word: else it is not used.
  if (state !== undefined && state !== 'delivered') conditions.push("message.state <> 'delivered'");
  if (source !== undefined) conditions.push(`message.source = ${add(source)}`);
  if (stream === 'transactional') conditions.push(`message.stream = ${add(stream)}`);
  if (since) conditions.push(`message.created_at >= ${add(since)}`);
  if (until) conditions.push(`message.created_at < ${add(until)}`);
  return conditions;
}

/** A pattern for all that begins with the text; both sides are lower case. */
export function escapeLike(text: string): string {
  return `${toStorable(text)
    .toLowerCase()
    .replace(/[\\%_]/g, '\\$&')}%`;
}
