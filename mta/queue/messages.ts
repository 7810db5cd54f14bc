/** The messages behind a batch of claimed deliveries, for the sender: envelope, and the body where it is short. */
import type pg from 'pg';

/** Longer bodies are read when they are sent. */
const MAX_BODY_BYTES = 262_144;

export interface LoadedMessage {
  messageId: number;
  /** JSON */
  envelope: string;
  recipients: number;
  body: Buffer | null;
}

export async function loadMessages(pool: pg.Pool, queueIds: string[]): Promise<Map<string, LoadedMessage>> {
  const { rows } = await pool.query<{
    id: string;
    message_id: string;
    envelope: string;
    recipients: number;
    body: Buffer | null;
  }>({
    name: 'load_messages',
    text: `select id, message_id, envelope, recipients,
                  case when chunks = 0 and octet_length(body) <= $2 then body end as body
             from messages
            where id = any($1)`,
    values: [queueIds, MAX_BODY_BYTES],
  });
  return new Map(
    rows.map(({ id, message_id, ...message }) => [id, { ...message, messageId: Number(message_id) }]),
  );
}
