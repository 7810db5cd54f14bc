/** What the hand-over to the mta needs to know of a message, and what it leaves behind. */
import type { SpamThresholds } from '../../lib/spam/score.ts';
import type { Queryable, Transaction } from '../database.ts';
import { createEventId, type NewEvent, recordEvents } from './event.ts';
import type { SpamFinding, SpamReview } from './spam-review.ts';
import type { Stream } from './stream.ts';

/**
 * Of the job of pg-boss that hands the message over: by it the job is found again. A released message has another job,
 * for that of its refusal may not have ended yet. UUID version 8 (RFC 9562 5.8)
 */
export function handOverJobId(messageId: number, run: 'first' | 'released' = 'first'): string {
  return `00000000-0000-800${run === 'first' ? 0 : 1}-8000-${messageId.toString(16).padStart(12, '0')}`;
}

/** All that the message may have, the current one last. */
export function handOverJobIds(messageId: number): string[] {
  return [handOverJobId(messageId), handOverJobId(messageId, 'released')];
}

export interface Consignment {
  messageId: number;
  organizationId: number;
  domainId: number;
  domain: string;
  envelopeFrom: string;
  recipients: string[];
  stream: Stream;
  tags: string[];
  hasUnsubscribeLink: boolean;
  /** Of the message, its domain or its organization */
  requiresTls: boolean;
  /** Came in by an inbound route, and goes on as it is */
  isForward: boolean;
  ignoresTlsPolicy: boolean;
  /** Never to be handed over: its outcome is played (models/sandbox.ts). */
  isSandbox: boolean;
  content: Buffer;
  /** The organization's own scores, where it has any. */
  spamScores: { [action in keyof SpamThresholds]: number | null };
  spamReview: SpamReview | null;
  /** Since when it can be handed over: it came, or it was asked for then. */
  dueAt: Date;
}

export interface Refused {
  recipient: string;
  response: string;
  /** SMTP reply code; undefined when the reason is ours. */
  code: number | undefined;
}

/** Undefined: nothing is to be handed over any more; it was done, cancelled or held before. */
export async function findConsignment(db: Queryable, messageId: number): Promise<Consignment | undefined> {
  const { rows } = await db.query<Consignment>(
    `select message.id              as "messageId",
            message.organization_id as "organizationId",
            message.domain_id       as "domainId",
            domain.name             as domain,
            message.envelope_from   as "envelopeFrom",
            greatest(message.created_at, message.send_at) as "dueAt",
            message.stream          as stream,
            message.tags            as tags,
            message.has_unsubscribe_link as "hasUnsubscribeLink",
            message.requires_tls or domain.requires_tls or organization.requires_tls as "requiresTls",
            message.source = 'forward' as "isForward",
            message.ignores_tls_policy as "ignoresTlsPolicy",
            message.is_sandbox      as "isSandbox",
            message.spam_review     as "spamReview",
            json_build_object('mark', organization.spam_mark_score, 'hold', organization.spam_hold_score,
                              'refuse', organization.spam_refuse_score) as "spamScores",
            source.content,
            array(select address from recipients
                   where message_id = $1 and state = 'queued'
                   order by id)     as recipients
       from messages message
       join domains domain         on domain.id = message.domain_id
       join organizations organization on organization.id = message.organization_id
       join message_sources source on source.message_id = message.id
      where message.id = $1 and message.handed_over_at is null`,
    [messageId],
  );
  return rows[0] && rows[0].recipients.length > 0 ? rows[0] : undefined;
}

/** The mta has it; whom it refused is held. Inside a transaction; a second time it changes nothing. */
export async function noteHandedOver(
  tx: Transaction,
  messageId: number,
  refused: readonly Refused[],
  spam?: SpamFinding,
): Promise<void> {
  await tx.query(
    `update messages
        set handed_over_at = coalesce(handed_over_at, now()), spam = coalesce($2, spam)
      where id = $1`,
    [messageId, spam ? JSON.stringify(spam) : null],
  );
  if (refused.length > 0) await holdRecipients(tx, messageId, refused);
}

/** Visibly stopped, with the reason on the timeline, until somebody decides. Inside a transaction. */
export async function holdRecipients(
  tx: Transaction,
  messageId: number,
  refused: readonly Refused[],
): Promise<void> {
  const occurredAt = new Date().toISOString();
  await recordEvents(
    tx,
    refused.map(({ recipient, response, code }): NewEvent => {
      const data = { response: response.slice(0, 1000), code: code ?? null, category: 'intake' };
      return {
        id: createEventId('held', messageId, recipient),
        messageId,
        recipient,
        type: 'held',
        occurredAt,
        data,
      };
    }),
  );
}

/** The block list names them: they are not sent to. Inside a transaction; a second time it changes nothing. */
export async function suppressRecipients(
  tx: Transaction,
  messageId: number,
  recipients: readonly string[],
): Promise<void> {
  const occurredAt = new Date().toISOString();
  const data = { response: 'On the block list', category: 'suppression' };
  await recordEvents(
    tx,
    recipients.map((recipient): NewEvent => {
      const id = createEventId('suppressed', messageId, recipient);
      return { id, messageId, recipient, type: 'suppressed', occurredAt, data };
    }),
  );
}

/** How long the oldest message that the mta does not have yet has waited, in seconds; 0 when there is none. */
export async function measureBacklog(db: Queryable): Promise<{ count: number; oldestSeconds: number }> {
  const { rows } = await db.query<{ count: number; oldestSeconds: number }>(
    `select count(*) as count,
            coalesce(extract(epoch from now() - min(greatest(created_at, send_at))), 0)::float8 as "oldestSeconds"
       from messages
      where handed_over_at is null and state = 'queued' and (send_at is null or send_at <= now())`,
  );
  return rows[0] ?? { count: 0, oldestSeconds: 0 };
}
