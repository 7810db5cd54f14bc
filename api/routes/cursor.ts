/** Cursors of lists, newest first: opaque to clients, the id of the last row inside. */

const PREFIX = 'before:';

export function writeCursor(id: number): string {
  return Buffer.from(`${PREFIX}${id}`).toString('base64url');
}

/** Undefined: it is none of ours. */
export function readCursor(cursor: string): number | undefined {
  const id = /^before:([1-9]\d{0,14})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1];
  return id === undefined ? undefined : Number(id);
}
