/**
 * Sources of messages that have ended, on their way from Postgres to object storage: reserved, copied, verified, and only
 * then deleted here, in one statement with the note of where they are. A process that dies on the way leaves a
 * reservation behind, and the next one copies to the same key again.
 */
import type { Queryable } from '../database.ts';
import type { IdRange } from './partition.ts';

export interface ReservedMove {
  messageId: number;
  /** Begins with the organization; the rest cannot be guessed */
  objectKey: string;
}

/**
 * Sources that may move, the oldest first, each with its key in object storage; the same key when it was reserved before.
 * @param endedBeforeSeconds how long ago the message ended, at least
 */
export async function reserveMoves(
  db: Queryable,
  { from, to }: IdRange,
  { endedBeforeSeconds, limit }: { endedBeforeSeconds: number; limit: number },
): Promise<ReservedMove[]> {
  const { rows } = await db.query<ReservedMove>(
    `with candidate as (
       select source.message_id, message.organization_id
         from message_sources source
         join messages message on message.id = source.message_id
        where source.message_id >= $1 and source.message_id < $2
          and message.id >= $1 and message.id < $2
          and message.state not in ('queued', 'deferred', 'held')
          and message.updated_at <= now() - make_interval(secs => $3)
        order by source.message_id
        limit $4
     )
     insert into message_objects (message_id, object_key)
     select message_id, format('organizations/%s/messages/%s-%s.eml', organization_id, message_id, gen_random_uuid())
       from candidate
     on conflict (message_id) do update set object_key = message_objects.object_key
     returning message_id as "messageId", object_key as "objectKey"`,
    [from, to, endedBeforeSeconds, limit],
  );
  return rows.toSorted((a, b) => a.messageId - b.messageId);
}

/** The copies are verified. What was purged meanwhile has no reservation any more, and nothing to delete. */
export async function finishMoves(db: Queryable, messageIds: readonly number[]): Promise<void> {
  await db.query(
    `with moved as (
       update message_objects
          set stored_at = now()
        where message_id = any($1::bigint[])
       returning message_id
     )
     delete from message_sources
      where message_id = any($1::bigint[]) and message_id in (select message_id from moved)`,
    [messageIds],
  );
}
