/** What webhooks say of messages, read from what is stored of them. */
import type { Queryable } from '../database.ts';
import { EMPTY_EXCERPT, EXCERPT_BYTES, readExcerpt } from '../mail/excerpt.ts';
import type { WebhookMessage } from '../webhooks/payload.ts';

interface Row extends Omit<WebhookMessage, 'to' | 'cc' | 'replyTo' | 'listUnsubscribe' | 'html' | 'text'> {
  /** Null: the source was purged. */
  head: Buffer | null;
}

/** By id; a message that was purged is not among them. */
export async function findWebhookMessages(
  db: Queryable,
  ids: readonly number[],
): Promise<Map<number, WebhookMessage>> {
  const { rows } = await db.query<Row>(
    `select message.id,
            message.domain_id   as "domainId",
            message.created_at  as "createdAt",
            message.from_header as "from",
            message.subject,
            message.message_id  as "messageId",
            message.tags,
            nullif(message.metadata, '{}') as metadata,
            message.is_sandbox  as "isSandbox",
            substring(source.content from 1 for ${EXCERPT_BYTES}) as head,
            (select string_agg(address, ', ' order by id)
               from recipients
              where message_id = message.id and kind = 'bcc') as bcc
       from messages message
       left join message_sources source on source.message_id = message.id
      where message.id = any($1::bigint[])`,
    [ids],
  );
  const messages = await Promise.all(rows.map(toMessage));
  return new Map(messages.map((message) => [message.id, message]));
}

async function toMessage({ head, ...row }: Row): Promise<WebhookMessage> {
  return { ...row, ...(head ? await readExcerpt(head) : EMPTY_EXCERPT) };
}
