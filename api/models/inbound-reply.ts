/** Replies to sent messages: found by the Message-IDs they name, and noted on the timeline of what they answer. */
import type { Queryable, Transaction } from '../database.ts';
import { createEventId, recordEvents } from './event.ts';
import { listTerms, withDomain } from './search-term.ts';

/**
 * The sent message of the domain that a reply answers: the first of these Message-IDs that is one of its own.
 * @param messageIds with their angle brackets
 */
export async function findRepliedMessage(
  db: Queryable,
  domainId: number,
  messageIds: readonly string[],
): Promise<number | null> {
  if (messageIds.length === 0) return null;
  const { rows } = await db.query<{ id: number }>(
    `select message.id
       from message_terms term
       join messages message on message.id = term.message_id
      where term.terms && $1::text[] and message.domain_id = $2 and message.source <> 'forward'
        and message.message_id = any($3::text[])
      order by array_position($3::text[], message.message_id), message.id
      limit 1`,
    [
      withDomain(
        domainId,
        messageIds.flatMap((messageId) => listTerms({ messageId })),
      ),
      domainId,
      messageIds,
    ],
  );
  return rows[0]?.id ?? null;
}

/** Once for each inbound message. Inside its transaction. */
export async function noteReplies(
  tx: Transaction,
  replies: readonly { id: number; replyToId: number | null; recipient: string }[],
  {
    envelopeFrom,
    subject,
    messageId,
  }: { envelopeFrom: string; subject: string | null; messageId: string | null },
): Promise<void> {
  const occurredAt = new Date().toISOString();
  const events = replies.flatMap(({ id, replyToId, recipient }) =>
    replyToId === null
      ? []
      : [
          {
            id: createEventId('replied', replyToId, String(id)),
            messageId: replyToId,
            recipient: null,
            type: 'replied' as const,
            occurredAt,
            data: {
              inbound_message_id: id,
              from: envelopeFrom,
              to: recipient,
              subject,
              message_id: messageId,
            },
          },
        ],
  );
  if (events.length > 0) await recordEvents(tx, events);
}
