/** Objects that nobody needs any more, until they are gone from object storage. */
import type { Queryable } from '../database.ts';

/** What is due, the oldest first. */
export async function listRemovals(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ objectKey: string }>(
    `select object_key as "objectKey" from object_removals where due_at <= now() order by due_at limit $1`,
    [limit],
  );
  return rows.map(({ objectKey }) => objectKey);
}

/** They are gone. */
export async function finishRemovals(db: Queryable, objectKeys: readonly string[]): Promise<void> {
  await db.query('delete from object_removals where object_key = any($1::text[])', [objectKeys]);
}
