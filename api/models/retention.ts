/**
 * What is over its organization's retention goes: whole partitions where nothing in them is to be kept by anybody, and
 * message by message a day later, so that where a partition is filled within a day all of it goes by dropping tables.
 *
 * A message is over it when its last change of status is. One that is queued, deferred or held never is, however old.
 */
import type { Queryable } from '../database.ts';
import type { IdRange } from './partition.ts';

/** For those that go one by one. */
const GRACE_DAYS = 1;
/** A gateway offers a submission again within minutes. */
const SUBMISSION_DAYS = 7;

const UNDER_WAY = "('queued', 'deferred', 'held')";

/** Everything that hangs on a message, and the column with its id; the message itself last. */
const TABLES = [
  ['message_sources', 'message_id'],
  ['message_terms', 'message_id'],
  ['message_objects', 'message_id'],
  ['recipients', 'message_id'],
  ['events', 'message_id'],
  ['messages', 'id'],
] as const;

export interface Retention {
  organizationId: number;
  days: number;
}

export async function listRetentions(db: Queryable): Promise<Retention[]> {
  const { rows } = await db.query<Retention>(
    'select id as "organizationId", retention_days as days from organizations order by id',
  );
  return rows;
}

/**
 * A batch of one organization's messages, the oldest of each domain first. Inside a transaction: what hangs on a message
 * goes with it, and its object is noted as to be removed. Skips what somebody is just writing to.
 * @returns how many are gone; fewer than `limit`: there are no more
 */
export async function purgeMessages(
  tx: Queryable,
  { organizationId, days }: Retention,
  limit: number,
): Promise<number> {
  const ids = await lockExpired(tx, organizationId, days + GRACE_DAYS, limit);
  if (ids.length === 0) return 0;
  await tx.query(
    `insert into object_removals (object_key, due_at)
     select object_key, case when stored_at is null then now() + interval '1 hour' else now() end
       from message_objects
      where message_id = any($1::bigint[])
         on conflict do nothing`,
    [ids],
  );
  for (const [table, column] of TABLES) {
    await tx.query(`delete from ${table} where ${column} = any($1::bigint[])`, [ids]);
  }
  return ids.length;
}

/** Partitions that get no more messages and hold nothing that anybody keeps, the oldest first. */
export async function listOldPartitions(db: Queryable): Promise<IdRange[]> {
  const { rows } = await db.query<IdRange>(
    `select lower_id as "from", upper_id as "to"
       from message_partitions
      where upper_id <= (select last_value from messages_id_seq)
      order by lower_id`,
  );
  const old: IdRange[] = [];
  for (const range of rows) if (await isOver(db, range)) old.push(range);
  return old;
}

/**
 * Inside a transaction. Does not wait long for a lock: nobody's mail waits behind it.
 * @returns false: there is something in it that is to be kept after all
 */
export async function dropPartition(tx: Queryable, range: IdRange): Promise<boolean> {
  await tx.query("select set_config('lock_timeout', '1s', true)");
  await tx.query(`lock table messages_${range.from} in share row exclusive mode`); // nothing in it changes any more
  if (!(await isOver(tx, range))) return false;
  await tx.query('select drop_message_partition($1)', [range.from]);
  return true;
}

/** Reads no further than to the first message that is to be kept: in a partition that is young, the first. */
async function isOver(db: Queryable, { from }: IdRange): Promise<boolean> {
  const { rows } = await db.query(
    `select from messages_${from}
      where state in ${UNDER_WAY}
         or updated_at >= (select now() - make_interval(days => max(retention_days)) from organizations)
      limit 1`,
  );
  return rows.length === 0;
}

/** Which message a submission became is asked only while the gateway may offer it again. @returns how many are gone */
export async function reapSubmissions(db: Queryable, limit: number): Promise<number> {
  const { rowCount } = await db.query(
    `delete from submissions
      where id in (select id from submissions
                    where created_at < now() - make_interval(days => $1)
                    order by created_at
                    limit $2)`,
    [SUBMISSION_DAYS, limit],
  );
  return rowCount ?? 0;
}

async function lockExpired(
  tx: Queryable,
  organizationId: number,
  days: number,
  limit: number,
): Promise<number[]> {
  const { rows: bounds } = await tx.query<{ below: number; before: Date }>(
    `select find_message_id_at(before) as below, before
       from (select now() - make_interval(days => $1) as before) as age`,
    [days],
  );
  const { below = 0, before } = bounds[0] ?? {};
  const { rows } = await tx.query<{ id: number }>(
    `select message.id
       from domains domain
      cross join lateral (
            select id
              from messages
             where domain_id = domain.id and id < $2 and updated_at < $3 and state not in ${UNDER_WAY}
             order by id
             limit $4
               for update skip locked) as message
      where domain.organization_id = $1
      limit $4`,
    [organizationId, below, before, limit],
  );
  return rows.map(({ id }) => id);
}
