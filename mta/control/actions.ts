/** The audit: every action of an operator, before it changes the first delivery, with how many it has changed. */
import type pg from 'pg';
import { inTransaction } from '../queue/database.ts';
import type { Selector } from '../queue/selector.ts';

export interface Action {
  id: number;
  verb: string;
  selector: Selector | Record<string, never>;
  parameters: Record<string, unknown>;
  reason: string | null;
  actor: string;
  affected: number;
  createdAt: string;
  /** Null: under way, or cut off */
  finishedAt: string | null;
}

export type NewAction = Pick<Action, 'verb' | 'selector' | 'parameters' | 'reason' | 'actor'>;

export async function insertAction(
  db: Pick<pg.ClientBase, 'query'>,
  { verb, selector, parameters, reason, actor }: NewAction,
): Promise<number> {
  const { rows } = await db.query<{ id: string }>(
    `insert into queue_actions (verb, selector, parameters, reason, actor) values ($1, $2, $3, $4, $5) returning id`,
    [verb, selector, parameters, reason, actor],
  );
  return Number(rows[0]?.id);
}

/** An action that is one change of a row: both or neither. @returns undefined where there was nothing to change */
export async function recordChange<T>(
  pool: pg.Pool,
  action: NewAction,
  change: (client: pg.ClientBase) => Promise<{ value: T; affected: number } | undefined>,
): Promise<{ actionId: number; value: T; affected: number } | undefined> {
  return inTransaction(pool, async (client) => {
    const changed = await change(client);
    if (!changed) return undefined;
    const actionId = await insertAction(client, action);
    await countAffected(client, actionId, changed.affected);
    await finishAction(client, actionId);
    return { actionId, ...changed };
  });
}

/** Within the transaction that has changed them. */
export async function countAffected(
  client: Pick<pg.ClientBase, 'query'>,
  id: number,
  count: number,
): Promise<void> {
  await client.query('update queue_actions set affected = affected + $2 where id = $1', [id, count]);
}

export async function finishAction(db: Pick<pg.ClientBase, 'query'>, id: number): Promise<void> {
  await db.query('update queue_actions set finished_at = now() where id = $1', [id]);
}

/** The latest first. */
export async function listActions(
  pool: pg.Pool,
  { limit, before }: { limit: number; before: number | undefined },
): Promise<Action[]> {
  const { rows } = await pool.query<
    Omit<Action, 'id' | 'affected' | 'createdAt' | 'finishedAt'> & {
      id: string;
      affected: string;
      created_at: Date;
      finished_at: Date | null;
    }
  >(
    `select id, verb, selector, parameters, reason, actor, affected, created_at, finished_at
       from queue_actions
      where $2::bigint is null or id < $2
      order by id desc
      limit $1`,
    [limit, before ?? null],
  );
  return rows.map(({ id, affected, created_at, finished_at, ...action }) => ({
    ...action,
    id: Number(id),
    affected: Number(affected),
    createdAt: created_at.toISOString(),
    finishedAt: finished_at?.toISOString() ?? null,
  }));
}
