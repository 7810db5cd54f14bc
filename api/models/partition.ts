/** The partitions by message id (migrations 0002, 0003): where they lie, and that there is always a next one. */
import type { Queryable } from '../database.ts';

/** Partitions made ahead of the ids that were given out. */
const AHEAD = 3;
/** Ids left to the default partition when it came to hold some, before the next partition begins. */
const MARGIN = 10_000;

/** `from` <= id < `to` */
export interface IdRange {
  from: number;
  to: number;
}

/**
 * All ids there may be below `before`, newest first, cut where partitions begin and end: Postgres answers a question
 * about one range from one partition of each table.
 */
export async function listIdRanges(db: Queryable, before = Number.POSITIVE_INFINITY): Promise<IdRange[]> {
  const { rows } = await db.query<{ from: number; to: number; next: number }>(
    `select lower_id as "from", upper_id as "to", (select last_value + 1 from messages_id_seq) as next
       from message_partitions
      order by lower_id desc`,
  );
  const top = Math.min(before, rows[0]?.next ?? 1);
  return fillGaps(rows, top);
}

/** The ranges below `top`, and between them those of the default partition. Pure. */
export function fillGaps(partitions: readonly IdRange[], top: number): IdRange[] {
  const ranges: IdRange[] = [];
  let end = top;
  for (const { from, to } of partitions) {
    if (from >= end) continue;
    if (to < end) ranges.push({ from: to, to: end });
    ranges.push({ from, to: Math.min(to, end) });
    end = from;
  }
  if (end > 0) ranges.push({ from: 0, to: end });
  return ranges;
}

/**
 * Makes what is missing of the next three partitions. Inside a transaction; does not wait long for a lock, so the job
 * that calls it may fail and try again: meanwhile messages go to the default partition.
 * @param size ids a partition
 * @returns the lower bounds of the new ones
 */
export async function createPartitionsAhead(tx: Queryable, size: number): Promise<number[]> {
  await tx.query("select set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(4711002)");
  const { rows } = await tx.query<{ last: number; end: number }>(
    `select (select last_value from messages_id_seq) as last,
            coalesce(max(upper_id), 0)               as "end"
       from message_partitions`,
  );
  const { last = 0, end = 0 } = rows[0] ?? {};
  const created: number[] = [];
  let from = last < end ? end : Math.ceil((last + MARGIN) / size) * size;
  while (from < last + AHEAD * size) {
    await tx.query('select create_message_partition($1, $2)', [from, from + size]);
    created.push(from);
    from += size;
  }
  return created;
}
