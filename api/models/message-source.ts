/**
 * The source of a message: the bytes that the mta is handed, composed once (mail/compose.ts) or as they came in over
 * SMTP. What is added on the way is not in it: DKIM signature, Received, Return-Path.
 */
import type { Queryable } from '../database.ts';

/** Undefined: it is not kept any more. */
export async function findSource(db: Queryable, messageId: number): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ content: Buffer }>(
    'select content from message_sources where message_id = $1',
    [messageId],
  );
  return rows[0]?.content;
}
