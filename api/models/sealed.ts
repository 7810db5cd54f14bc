/**
 * Everything that is sealed in the database, to seal it anew with another master key. In small batches, each a
 * transaction: whoever stops it half way runs it again, and what is done stays done. Both keys open meanwhile.
 */
import { currentKey, deriveKey, seal, unseal } from '../../lib/secrets.ts';
import { inTransaction, type Queryable, type Store } from '../database.ts';

const BATCH_ROWS = 50;

/** A column with sealed values, as the model that owns it describes it. */
export interface SealedColumn {
  table: string;
  column: string;
  /**
   * Selects `id`, `sealed` and what the context is made from, of rows with an id above $1, at most $2, in the order of
   * their ids, and locks them.
   */
  select: string;
  /** What the value was sealed for. */
  contextOf(row: Record<string, unknown>): string;
}

export interface ResealResult {
  /** `table.column` */
  column: string;
  resealed: number;
  /** Sealed by the current key before. */
  unchanged: number;
  /** Ids of rows that neither key opens. */
  unreadable: number[];
}

export async function resealColumn(
  store: Store,
  sealedColumn: SealedColumn,
  masterKey: string,
): Promise<ResealResult> {
  const { table, column } = sealedColumn;
  const result: ResealResult = { column: `${table}.${column}`, resealed: 0, unchanged: 0, unreadable: [] };
  const key = deriveKey(masterKey, 'database');
  let lastId: number | undefined = 0;
  while (lastId !== undefined) {
    const after: number = lastId;
    lastId = await inTransaction(store, (tx) => resealBatch(tx, sealedColumn, key, after, result));
  }
  return result;
}

/** @returns the last id of the batch; undefined when there was none */
async function resealBatch(
  tx: Queryable,
  { table, column, select, contextOf }: SealedColumn,
  key: Buffer,
  afterId: number,
  result: ResealResult,
): Promise<number | undefined> {
  const { rows } = await tx.query<{ id: number; sealed: Buffer }>(select, [afterId, BATCH_ROWS]);
  for (const { id, sealed, ...rest } of rows) {
    const context = contextOf(rest);
    const plain = unseal(key, sealed, context);
    if (!plain) result.unreadable.push(id);
    else if (unseal(currentKey(key), sealed, context)) result.unchanged += 1;
    else {
      await tx.query(`update ${table} set ${column} = $2 where id = $1`, [id, seal(key, plain, context)]);
      result.resealed += 1;
    }
  }
  return rows.at(-1)?.id;
}
