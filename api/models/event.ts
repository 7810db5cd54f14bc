/**
 * The timeline. Events are kept as they come and never changed; what they mean for recipients and messages is worked
 * out with them, in the same transaction.
 */
import { createHash } from 'node:crypto';
import type { Queryable, Transaction } from '../database.ts';
import { noteReports } from './delivery-report.ts';
import { noteForwards } from './forward.ts';
import { countOutcomes, type Sender } from './sending-outcome.ts';
import { deriveMessageState, isAbove, type State } from './state.ts';
import { insertEventWebhooks } from './webhook-outbox.ts';

/** What an event says beyond its type; all optional, keys as in the public API. */
export interface EventData {
  attempt?: number;
  response?: string | null;
  code?: number | null;
  enhanced_code?: string | null;
  category?: string | null;
  mx?: { hostname: string; address: string | null } | null;
  /** What the refusal means (docs/bounces.md) */
  bounce?: { class: string; is_hard: boolean; action: string; rule: string } | undefined;
  [key: string]: unknown;
}

/** What recipients tell of a message that they have. */
const told = ['complained', 'unsubscribed'] as const;
type Told = (typeof told)[number];
const stateless = ['accepted', 'released', 'reported', 'replied'] as const;

export interface NewEvent {
  /** UUID; the same id is the same event. */
  id: string;
  messageId: number;
  /** Null: about the message as a whole. */
  recipient: string | null;
  /**
   * From `complained` (a recipient called it spam), `unsubscribed`, `released` (somebody has looked at a held message
   * and lets it go), `reported` (a mail told of it what changes nothing: a delay, a relay) and `replied` (a message came
   * in that answers it) no state follows.
   */
  type: 'accepted' | 'released' | 'reported' | 'replied' | Told | Exclude<State, 'queued'>;
  /** ISO 8601 */
  occurredAt: string;
  data: EventData;
}

export interface Event {
  type: string;
  recipient: string | null;
  occurredAt: Date;
  data: EventData;
}

export interface RecordResult {
  /** Those that were not there before. */
  fresh: NewEvent[];
  duplicates: number;
  /** Messages nobody knows: their events are dropped. */
  unknownMessageIds: number[];
}

interface RecipientRow {
  messageId: number;
  address: string;
  state: State;
  stateAt: Date;
  attempts: number;
  last: EventData | undefined;
}

/** All or nothing: call it inside a transaction. Events that are already there count as duplicates. */
export async function recordEvents(tx: Transaction, events: readonly NewEvent[]): Promise<RecordResult> {
  const known = await lockMessages(tx, [...new Set(events.map((event) => event.messageId))]);
  const concerned = events.filter((event) => known.has(event.messageId));
  const freshIds = await insertEvents(tx, concerned);
  const fresh = concerned.filter((event) => freshIds.delete(event.id)); // once, should a batch hold an id twice
  const news = await applyEvents(tx, fresh);
  await countOutcomes(tx, news, known);
  await noteReports(tx, news);
  await noteForwards(
    tx,
    news.filter(({ messageId }) => known.get(messageId)?.isForward),
  );
  const unknown = events.filter((event) => !known.has(event.messageId)).map((event) => event.messageId);
  return {
    fresh,
    duplicates: concerned.length - fresh.length,
    unknownMessageIds: [...new Set(unknown)],
  };
}

/** A message's events in the order they happened. */
export async function listEvents(db: Queryable, messageId: number): Promise<Event[]> {
  const { rows } = await db.query<Event>(
    `select type, recipient, occurred_at as "occurredAt", data
       from events
      where message_id = $1
      order by occurred_at, position`,
    [messageId],
  );
  return rows;
}

/**
 * The same for each repetition, so that what runs again after a crash adds nothing (RFC 9562 5.8, version 8).
 * @param about the recipient, and what tells two events of one type about it apart
 */
export function createEventId(type: NewEvent['type'], messageId: number, about: string): string {
  const hex = createHash('sha256').update(`${type} ${messageId} ${about}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** What arrived is out of our hands: what Postgres cannot store (NUL, half a surrogate pair) is made visible. */
export function toStorable<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    typeof inner === 'string' ? inner.toWellFormed().replaceAll('\0', '\ufffd') : inner,
  ) as T;
}

/** In the order of their ids, so that two batches cannot wait for each other. */
async function lockMessages(tx: Queryable, ids: number[]): Promise<Map<number, Sender>> {
  const { rows } = await tx.query<Sender & { id: number }>(
    `select id, organization_id as "organizationId", is_sandbox as "isSandbox", source = 'forward' as "isForward"
       from messages
      where id = any($1::bigint[])
      order by id
        for update`,
    [ids],
  );
  return new Map(rows.map((row) => [row.id, row]));
}

async function insertEvents(tx: Queryable, events: readonly NewEvent[]): Promise<Set<string>> {
  const stored = events.map((event) => toStorable(event));
  const { rows } = await tx.query<{ id: string }>(
    `insert into events (id, message_id, recipient, type, occurred_at, data)
     select id, message_id, recipient, type, occurred_at, data
       from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::jsonb[])
            with ordinality as event (id, message_id, recipient, type, occurred_at, data, ordinal)
      order by ordinal
         on conflict (message_id, id) do nothing
  returning id`,
    [
      stored.map((event) => event.id),
      stored.map((event) => event.messageId),
      stored.map((event) => event.recipient),
      stored.map((event) => event.type),
      stored.map((event) => event.occurredAt),
      stored.map((event) => JSON.stringify(event.data)),
    ],
  );
  return new Set(rows.map((row) => row.id));
}

/** @returns those that are news */
async function applyEvents(tx: Queryable, events: readonly NewEvent[]): Promise<NewEvent[]> {
  const recipients = await loadRecipients(tx, [...new Set(events.map((event) => event.messageId))]);
  const effective = new Set(events.filter(({ type }) => isTold(type)));
  const changed = advanceRecipients(recipients, events, (event) => effective.add(event));
  if (changed.length > 0) {
    await saveRecipients(tx, changed);
    await saveMessageStates(tx, recipients);
  }
  const news = events.filter((event) => effective.has(event)).map((event) => toStorable(event));
  await insertEventWebhooks(tx, news);
  return news;
}

async function loadRecipients(tx: Queryable, messageIds: number[]): Promise<RecipientRow[]> {
  const { rows } = await tx.query<RecipientRow>(
    `select message_id as "messageId", address, state, state_at as "stateAt", attempts
       from recipients
      where message_id = any($1::bigint[])`,
    [messageIds],
  );
  return rows;
}

/**
 * Moves each recipient on by its events (state.ts) and returns those that changed. Pure but for its argument.
 * @param onNews called with each event that is news: the recipient got into another state, or is deferred once more
 */
export function advanceRecipients(
  recipients: readonly RecipientRow[],
  events: readonly NewEvent[],
  onNews: (event: NewEvent) => void = () => {},
): RecipientRow[] {
  const byAddress = new Map(recipients.map((row) => [keyOf(row.messageId, row.address), row]));
  const changed = new Set<RecipientRow>();
  for (const event of events) {
    const { messageId, recipient, type, occurredAt, data } = event;
    const row = recipient === null ? undefined : byAddress.get(keyOf(messageId, recipient));
    if (!row || isStateless(type)) continue;
    row.attempts = Math.max(row.attempts, data.attempt ?? 0);
    changed.add(row);
    const at = new Date(occurredAt);
    const isHigher = isAbove(type, row.state);
    const isRepeated = type === row.state && at >= row.stateAt;
    if (isHigher || (isRepeated && type === 'deferred')) onNews(event);
    if (isHigher || isRepeated) Object.assign(row, { state: type, stateAt: at, last: data });
  }
  return [...changed];
}

function isStateless(type: NewEvent['type']): type is (typeof stateless)[number] | Told {
  return isTold(type) || (stateless as readonly string[]).includes(type);
}

function isTold(type: NewEvent['type']): type is Told {
  return (told as readonly string[]).includes(type);
}

/** The mta may write the address in another case than the client did. */
function keyOf(messageId: number, address: string): string {
  return `${messageId} ${address.toLowerCase()}`;
}

async function saveRecipients(tx: Queryable, rows: readonly RecipientRow[]): Promise<void> {
  const last = rows.map((row) => toStorable(row.last ?? null));
  await tx.query(
    `update recipients
        set state         = change.state,
            state_at      = change.state_at,
            attempts      = change.attempts,
            response      = case when change.has_reply then change.response      else recipients.response      end,
            response_code = case when change.has_reply then change.response_code else recipients.response_code end,
            enhanced_code = case when change.has_reply then change.enhanced_code else recipients.enhanced_code end,
            category      = case when change.has_reply then change.category      else recipients.category      end,
            mx            = case when change.has_reply then change.mx            else recipients.mx            end
       from unnest($1::text[], $2::text[], $3::timestamptz[], $4::integer[], $5::boolean[], $6::text[],
                   $7::integer[], $8::text[], $9::text[], $10::text[], $11::bigint[])
            as change (address, state, state_at, attempts, has_reply, response, response_code, enhanced_code, category,
                       mx, message_id)
      where recipients.message_id = change.message_id and recipients.address = change.address
        and recipients.message_id = any($11::bigint[])`, // which is what lets Postgres look into few partitions
    [
      rows.map((row) => row.address),
      rows.map((row) => row.state),
      rows.map((row) => row.stateAt),
      rows.map((row) => row.attempts),
      last.map((data) => data !== null),
      last.map((data) => data?.response ?? null),
      last.map((data) => data?.code ?? null),
      last.map((data) => data?.enhanced_code ?? null),
      last.map((data) => data?.category ?? null),
      last.map((data) => data?.mx?.hostname ?? null),
      rows.map((row) => row.messageId),
    ],
  );
}

async function saveMessageStates(tx: Queryable, recipients: readonly RecipientRow[]): Promise<void> {
  const byMessage = Map.groupBy(recipients, (row) => row.messageId);
  const messages = [...byMessage].map(([id, rows]) => ({
    id,
    state: deriveMessageState(rows.map((row) => row.state)),
  }));
  await tx.query(
    `update messages
        set state = change.state, updated_at = now()
       from unnest($1::bigint[], $2::text[]) as change (id, state)
      where messages.id = change.id and messages.state <> change.state
        and messages.id = any($1::bigint[])`,
    [messages.map((message) => message.id), messages.map((message) => message.state)],
  );
}
