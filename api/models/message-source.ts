/**
 * The source of a message: the bytes that the mta is handed, composed once (mail/compose.ts) or as they came in over
 * SMTP. What is added on the way is not in it: DKIM signature, Received, Return-Path. It lies in Postgres until the
 * message has ended, and then in object storage, where that is configured (storage/move-sources.ts).
 */
import type { Queryable } from '../database.ts';

export type SourcePlace =
  | { content: Buffer; objectKey: null }
  | { content: null; objectKey: string }
  /** It is not kept any more. */
  | undefined;

/** The one that lies in Postgres. */
export async function findLocalSource(db: Queryable, messageId: number): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ content: Buffer }>(
    'select content from message_sources where message_id = $1',
    [messageId],
  );
  return rows[0]?.content;
}

/** Wherever it lies. */
export async function findSource(db: Queryable, messageId: number): Promise<SourcePlace> {
  const { rows } = await db.query<NonNullable<SourcePlace>>(
    `select source.content, object.object_key as "objectKey"
       from (select) as one
       left join message_sources source on source.message_id = $1
       left join message_objects object on object.message_id = $1 and object.stored_at is not null
      where source.message_id is not null or object.message_id is not null`,
    [messageId],
  );
  return rows[0];
}
