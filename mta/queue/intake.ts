/**
 * How messages enter the queue: body, envelope and deliveries of a group of messages in one statement, so in one
 * transaction. The SMTP 250 is sent after its commit and not before. The same message a second time (the worker did
 * not see the first 250) changes nothing.
 *
 * Fresh deliveries may be claimed as they are written: then they go straight to the master's memory, and nobody has to
 * look for them, or to update their rows, before they are sent.
 */
import type pg from 'pg';
import type { MessageIdentity } from '../../lib/delivery.ts';
import { nextLane } from './counters.ts';
import { isTransient } from './database.ts';
import type { ClaimedRow } from './rows.ts';

const DEFAULT_PRIORITY = 5;

/** ZoneMTA's envelope, the parts that the queue looks at. Stored whole. */
export interface Envelope {
  from: string;
  to: string[];
  sendingZone?: string;
  deferDelivery?: number;
  postern?: MessageIdentity;
  [key: string]: unknown;
}

export interface NewMessage {
  id: string;
  identity: MessageIdentity;
  envelope: Envelope;
  /** Empty when the body has been written in chunks. */
  body: Buffer;
  chunks?: number;
  zone: string;
  lifetimeSeconds: number;
  /** Claims the deliveries at once for this instance. Not with deferDelivery. */
  claim?: { instanceId: string; leaseSeconds: number } | undefined;
}

/** 'known': this message had been taken in before. The rows are there only when they were claimed. */
export type IntakeOutcome = { outcome: 'queued'; claimed: ClaimedRow[] } | { outcome: 'known' };

/** @returns one outcome a message, in their order. All messages are queued or none. */
export async function storeMessages(
  db: Pick<pg.Pool, 'query'>,
  messages: NewMessage[],
): Promise<IntakeOutcome[]> {
  const deliveries = messages.flatMap(listDeliveries);
  const { rows } = await db.query<StoredRow>({
    name: `store_messages_${messages.length}`,
    text: statementFor(messages.length),
    values: [
      deliveries.map((delivery) => delivery.id),
      deliveries.map((delivery) => delivery.sequence),
      deliveries.map((delivery) => delivery.recipient),
      deliveries.map((delivery) => delivery.domain),
      nextLane(),
      ...messages.flatMap(messageValues),
    ],
  });
  const stored = Map.groupBy(rows, (row) => row.queue_id);
  return messages.map((message): IntakeOutcome => {
    const own = stored.get(message.id);
    if (!own) return { outcome: 'known' };
    return { outcome: 'queued', claimed: message.claim ? own.map((row) => toClaimedRow(message, row)) : [] };
  });
}

/**
 * As storeMessages, with a result for each: when a group fails for a reason that lies in one of its messages, the
 * messages are tried one by one.
 */
export async function storeEach(
  db: Pick<pg.Pool, 'query'>,
  messages: NewMessage[],
): Promise<(IntakeOutcome | Error)[]> {
  try {
    return await storeMessages(db, messages);
  } catch (error) {
    if (messages.length === 1 || isTransient(error)) return messages.map(() => toError(error));
  }
  const outcomes: (IntakeOutcome | Error)[] = [];
  for (const message of messages) outcomes.push(...(await storeEach(db, [message])));
  return outcomes;
}

interface StoredRow {
  queue_id: string;
  sequence: string;
  recipient: string;
  domain: string;
  claim_id: string;
  expires_at: Date;
}

const VALUES_PER_MESSAGE = 16;
const FIRST_VALUE = 6;
const statements = new Map<number, string>();

/** One parameter a value, not arrays: bodies travel as bytes only when they are parameters of their own. */
function statementFor(count: number): string {
  const known = statements.get(count);
  if (known) return known;
  const types = [
    ...[
      'text',
      'bigint',
      'bigint',
      'text',
      'text',
      'bytea',
      'integer',
      'integer',
      'text',
      'smallint',
      'text[]',
    ],
    ...['float8', 'float8', 'text', 'float8', 'text'],
  ];
  const rows = Array.from({ length: count }, (_, row) => {
    const first = FIRST_VALUE + row * VALUES_PER_MESSAGE;
    return `(${types.map((type, index) => `$${first + index}::${type}`).join(', ')})`;
  });
  const text = `
    with given (id, message_id, organization_id, domain, envelope, body, chunks, recipients, zone, priority, tags,
                due_seconds, lifetime_seconds, claimed_by, lease_seconds, stream) as (
           values ${rows.join(', ')}
         ),
         fresh as (
           insert into intakes (message_id, queue_id)
           select message_id, id from given
           on conflict (message_id) do nothing
           returning queue_id
         ),
         stored as (
           insert into messages (id, message_id, organization_id, domain, envelope, body, chunks, recipients, expires_at)
           select id, message_id, organization_id, domain, envelope, body, chunks, recipients,
                  now() + make_interval(secs => lifetime_seconds)
             from given
             join fresh on fresh.queue_id = given.id
         ),
         queued as (
           insert into deliveries (queue_id, sequence, message_id, zone, organization_id, recipient, domain, priority,
                                   tags, sender_domain, stream, due_at, expires_at, attempts, claim_id, claimed_by,
                                   claimed_until)
           select r.queue_id, r.sequence, g.message_id, g.zone, g.organization_id, r.recipient, r.domain, g.priority,
                  g.tags, g.domain, g.stream, greatest(now(), to_timestamp(g.due_seconds)),
                  now() + make_interval(secs => g.lifetime_seconds),
                  case when g.claimed_by is null then 0 else 1 end,
                  case when g.claimed_by is not null then nextval('claim_ids') end,
                  g.claimed_by,
                  case when g.claimed_by is not null then now() + make_interval(secs => g.lease_seconds) end
             from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as r (queue_id, sequence, recipient, domain)
             join given g on g.id = r.queue_id
             join fresh f on f.queue_id = r.queue_id
           returning queue_id, sequence, recipient, domain, claim_id, expires_at
         ),
         counted as (
           insert into queue_counters (name, lane, value)
           select 'accepted', $5::integer, count(*) from queued having count(*) > 0
           on conflict (name, lane) do update set value = queue_counters.value + excluded.value
         )
    select * from queued`;
  statements.set(count, text);
  return text;
}

function messageValues(message: NewMessage): unknown[] {
  const { id, identity, envelope, body, chunks = 0, zone, lifetimeSeconds, claim } = message;
  return [
    id,
    identity.messageId,
    identity.organizationId,
    identity.domain,
    JSON.stringify(envelope),
    body,
    chunks,
    envelope.to.length,
    zone,
    identity.priority ?? DEFAULT_PRIORITY,
    identity.tags ?? [],
    (envelope.deferDelivery ?? 0) / 1000,
    lifetimeSeconds,
    claim?.instanceId ?? null,
    claim?.leaseSeconds ?? 0,
    identity.stream ?? null,
  ];
}

function listDeliveries({ id, envelope }: NewMessage) {
  return envelope.to.map((recipient, index) => ({
    id,
    sequence: (index + 1).toString(16).padStart(3, '0'),
    recipient,
    domain: recipientDomain(recipient),
  }));
}

export function recipientDomain(recipient: string): string {
  return recipient
    .slice(recipient.lastIndexOf('@') + 1)
    .replace(/[[\]]/g, '')
    .toLowerCase();
}

function toClaimedRow({ identity, zone }: NewMessage, row: StoredRow): ClaimedRow {
  return {
    zone,
    organizationId: identity.organizationId,
    domain: row.domain,
    priority: identity.priority ?? DEFAULT_PRIORITY,
    queueId: row.queue_id,
    sequence: row.sequence,
    messageId: identity.messageId,
    senderDomain: identity.domain,
    stream: identity.stream,
    tags: identity.tags ?? [],
    recipient: row.recipient,
    claimId: row.claim_id,
    attempts: 1,
    deferrals: 0,
    expiresAt: row.expires_at.getTime(),
  };
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
