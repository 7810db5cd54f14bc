/** Messages: taken over together with the job that hands them to the mta, and what one can see of them. */
import type { Queryable, Transaction } from '../database.ts';
import { HAND_OVER } from '../jobs/queues.ts';
import type { DomainCredential } from './api-token.ts';
import { toStorable } from './event.ts';
import { handOverJobId } from './hand-over.ts';
import { listTerms, withDomain } from './search-term.ts';
import type { SpamFinding } from './spam-review.ts';
import type { State } from './state.ts';
import { jobPriorityOf, type Stream } from './stream.ts';
import { insertQueuedWebhooks } from './webhook-outbox.ts';

/** `forward`: it came in, and goes on by an inbound route */
export const messageSources = ['http', 'smtp', 'forward'] as const;
export type MessageSource = (typeof messageSources)[number];

export interface NewMessage {
  credential: Pick<DomainCredential, 'organizationId' | 'domainId'> & {
    /** Null: of what is forwarded */
    tokenId: number | null;
    isSandbox?: boolean;
  };
  source: MessageSource;
  /** SMTP: the gateway's id of the transaction. The same id is the same message. */
  submissionId: string | null;
  /** Empty: the null reverse-path. */
  envelopeFrom: string;
  recipients: { address: string; kind: 'to' | 'cc' | 'bcc' }[];
  fromHeader: string;
  subject: string | null;
  messageId: string;
  tags: string[];
  stream: Stream;
  metadata: Record<string, string>;
  /** Each recipient gets a link of its own to unsubscribe. */
  hasUnsubscribeLink: boolean;
  /** It leaves over TLS with a certificate that holds, or not at all. */
  requiresTls?: boolean;
  /** It leaves whatever is wrong with the recipient's TLS. */
  ignoresTlsPolicy?: boolean;
  /** Null: at once */
  sendAt: Date | null;
  content: Buffer;
  /** What the timeline says about the acceptance. */
  acceptance: object;
  /** Of the request that it came with, where it is traced. */
  traceparent?: string | undefined;
}

export interface Message {
  id: number;
  domainId: number;
  domain: string;
  state: State;
  source: MessageSource;
  fromHeader: string;
  subject: string | null;
  messageId: string;
  tags: string[];
  stream: Stream;
  metadata: Record<string, string>;
  sendAt: Date | null;
  isSandbox: boolean;
  /** Of the source */
  sizeBytes: number;
  spam: SpamFinding | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface Recipient {
  address: string;
  kind: 'to' | 'cc' | 'bcc';
  state: State;
  attempts: number;
  response: string | null;
  responseCode: number | null;
  enhancedCode: string | null;
  category: string | null;
  mx: string | null;
  stateAt: Date;
}

/** Whose messages may be seen: one domain's, or all of an organization's. */
export interface Reader {
  organizationId: number;
  domainId: number | undefined;
}

const selectMessage = `
  select message.id,
         message.domain_id   as "domainId",
         domain.name         as domain,
         message.state,
         message.source,
         message.from_header as "fromHeader",
         message.subject,
         message.message_id  as "messageId",
         message.tags,
         message.stream,
         message.metadata,
         message.send_at     as "sendAt",
         message.is_sandbox  as "isSandbox",
         message.size_bytes  as "sizeBytes",
         message.spam,
         message.created_at  as "createdAt",
         message.updated_at  as "updatedAt"
    from messages message
    join domains domain on domain.id = message.domain_id`;

/**
 * Message, source, recipients, the first event and the job, or nothing of it.
 * @returns the message's id; the id it got the first time, when the submission is known
 */
export async function acceptMessage(tx: Transaction, message: NewMessage): Promise<number> {
  const id = await insertMessage(tx, message);
  if (id === undefined) return findSubmission(tx, message);
  await tx.enqueue(
    HAND_OVER,
    { messageId: id, ...(message.traceparent && { traceparent: message.traceparent }) },
    {
      id: handOverJobId(id),
      priority: jobPriorityOf(message.stream),
      ...(message.sendAt && { startAfter: message.sendAt }),
    },
  );
  return id;
}

/** Undefined: there is none, or it is another's. */
export async function findMessage(
  db: Queryable,
  id: number,
  { organizationId, domainId }: Reader,
): Promise<Message | undefined> {
  const { rows } = await db.query<Message>(
    `${selectMessage}
      where message.id = $1 and message.organization_id = $2 and ($3::bigint is null or message.domain_id = $3)`,
    [id, organizationId, domainId ?? null],
  );
  return rows[0];
}

/** Those with the ids, newest first. */
export async function loadMessages(db: Queryable, ids: readonly number[]): Promise<Message[]> {
  const { rows } = await db.query<Message>(
    `${selectMessage} where message.id = any($1::bigint[]) order by message.id desc`,
    [ids],
  );
  return rows;
}

/** In the order they were named. */
export async function listRecipients(db: Queryable, messageId: number): Promise<Recipient[]> {
  const { rows } = await db.query<Recipient>(
    `select address, kind, state, attempts, response, category, mx,
            response_code as "responseCode",
            enhanced_code as "enhancedCode",
            state_at      as "stateAt"
       from recipients
      where message_id = $1
      order by id`,
    [messageId],
  );
  return rows;
}

/**
 * Undefined: the submission is known. One statement, because every round trip holds a connection; prepared, because to
 * plan it costs Postgres as much as to run it (0.58 ms of its time instead of 1.15 ms).
 */
async function insertMessage(tx: Queryable, message: NewMessage): Promise<number | undefined> {
  const { tokenId, organizationId, domainId } = message.credential;
  const { rows } = await tx.query<{ id: number }>({
    name: 'insert-message',
    text: `with submission as (
       insert into submissions (id, token_id, message_id)
            select $5, $3, nextval('messages_id_seq') where $5::text is not null
       on conflict (id) do nothing
         returning message_id
     ), reserved as (
       select message_id as id from submission
       union all
       select nextval('messages_id_seq') where $5::text is null
     ), message as (
       insert into messages (id, organization_id, domain_id, token_id, source, envelope_from, from_header, subject,
                             message_id, tags, size_bytes, stream, metadata, send_at,
                             has_unsubscribe_link, is_sandbox, requires_tls,
                             ignores_tls_policy)
       overriding system value
            select id, $1, $2, $3, $4, $6, $7, $8, $9, $10, $11, $16, $17, $19, $20, $21, $22, $23 from reserved
         returning id
     ), source as (
       insert into message_sources (message_id, content)
            select id, $12 from message
     ), recipient as (
       insert into recipients (message_id, domain_id, address, kind)
            select message.id, $2, recipient.address, recipient.kind
              from message, unnest($13::text[], $14::text[]) with ordinality as recipient (address, kind, ordinal)
             order by ordinal
     ), event as (
       insert into events (id, message_id, type, occurred_at, data)
            select gen_random_uuid(), id, 'accepted', now(), $15 from message
     ), webhook as (${insertQueuedWebhooks('$2', '$4')}
     ), terms as (
       insert into message_terms (message_id, terms)
            select id, $18 from message
     )
     select id from message`,
    values: [
      organizationId,
      domainId,
      tokenId,
      message.source,
      message.submissionId,
      message.envelopeFrom,
      toStorable(message.fromHeader),
      toStorable(message.subject),
      toStorable(message.messageId),
      toStorable(message.tags),
      message.content.length,
      message.content,
      message.recipients.map((recipient) => recipient.address),
      message.recipients.map((recipient) => recipient.kind),
      JSON.stringify(toStorable(message.acceptance)),
      message.stream,
      JSON.stringify(message.metadata),
      toStorable(withDomain(domainId, listTerms(message))),
      message.sendAt,
      message.hasUnsubscribeLink,
      message.credential.isSandbox ?? false,
      message.requiresTls ?? false,
      message.ignoresTlsPolicy ?? false,
    ],
  });
  return rows[0]?.id;
}

async function findSubmission(tx: Queryable, { submissionId, credential }: NewMessage): Promise<number> {
  const { rows } = await tx.query<{ id: number }>(
    'select message_id as id from submissions where id = $1 and token_id = $2',
    [submissionId, credential.tokenId],
  );
  const [row] = rows;
  if (!row) throw new Error(`the submission ${submissionId} belongs to another token`);
  return row.id;
}
