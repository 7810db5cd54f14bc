/** Pages of lists, newest first. Their cursors are opaque to clients, the id of the last row inside. */

const PREFIX = 'before:';
export const INVALID_CURSOR = { errors: { cursor: ['is invalid'] } };

/** What a model is asked for: one row more than the page has, which says whether there is another page. */
export interface PageQuery {
  before: number | undefined;
  limit: number;
}

/** Undefined: the cursor is none of ours. */
export function readPage({ cursor, limit }: { cursor?: string; limit: number }): PageQuery | undefined {
  if (cursor === undefined) return { before: undefined, limit: limit + 1 };
  const before = readCursor(cursor);
  return before === undefined ? undefined : { before, limit: limit + 1 };
}

/** @param found by the query of readPage */
export function writePage<Row extends { id: number }>(
  found: readonly Row[],
  { limit }: PageQuery,
): { rows: Row[]; next_cursor: string | null } {
  const rows = found.slice(0, limit - 1);
  const last = found.length === limit ? rows.at(-1) : undefined;
  return { rows, next_cursor: last ? writeCursor(last.id) : null };
}

function writeCursor(id: number): string {
  return Buffer.from(`${PREFIX}${id}`).toString('base64url');
}

function readCursor(cursor: string): number | undefined {
  const id = /^before:([1-9]\d{0,14})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  return id === undefined ? undefined : Number(id);
}
