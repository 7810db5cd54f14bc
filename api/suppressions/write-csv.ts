/** A list as CSV (RFC 4180), a page of it in memory at a time. */
import { pipeline, Readable } from 'node:stream';
import { stringify } from 'csv-stringify';
import type { Queryable } from '../database.ts';
import { listSuppressions, type SuppressionQuery, type SuppressionRow } from '../models/suppression.ts';
import { type Column, columns, guardCell } from './cells.ts';

const PAGE_ROWS = 1_000;

/** Ends with an error when the database does: what came until then is not the whole list. */
export function writeCsv(db: Queryable, query: Omit<SuppressionQuery, 'before' | 'limit'>): Readable {
  const csv = stringify({ header: true, columns: [...columns] });
  return pipeline(Readable.from(listCells(db, query)), csv, () => {}); // an error ends `csv` too
}

async function* listCells(
  db: Queryable,
  query: Omit<SuppressionQuery, 'before' | 'limit'>,
): AsyncGenerator<Record<Column, string>> {
  let before: number | undefined;
  for (;;) {
    const rows = await listSuppressions(db, { ...query, before, limit: PAGE_ROWS });
    yield* rows.map(toCells);
    if (rows.length < PAGE_ROWS) return;
    before = rows.at(-1)?.id;
  }
}

function toCells(row: SuppressionRow): Record<Column, string> {
  return {
    address: guardCell(row.address),
    list: row.list,
    domain: row.domain ?? '',
    stream: row.stream,
    reason: row.reason,
    note: guardCell(row.note ?? ''),
    expires_at: row.expiresAt?.toISOString() ?? '',
    created_at: row.createdAt.toISOString(),
  };
}
