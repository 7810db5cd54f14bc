import type { Queryable } from '../database.ts';

/** Messages of a domain that have not come to an end. @param before only those that were taken before */
export async function countMailUnderWay(
  db: Queryable,
  domainId: number,
  before: Date | null = null,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*)
       from messages
      where domain_id = $1 and state in ('queued', 'deferred', 'held')
        and ($2::timestamptz is null or created_at < $2)`,
    [domainId, before],
  );
  return rows[0]?.count ?? 0;
}
