/** Which of the rows that wait in a flow goes first, and from which local address. */
import type { ClaimedRow } from './rows.ts';

/** So many are looked at for one whose address may send now. */
const MAX_LOOKED_AT = 20;

/** A row and its address; or until when none may be sent. */
export type Choice = { index: number; source: string | undefined } | { until: number };

/**
 * The first row that may leave from one of its addresses, the preferred one before the others.
 * @param sourcesOf none: it goes to a sender, which says why it cannot be sent
 * @param pacedUntil undefined: that address may send now
 * @returns undefined where there is no row
 */
export function findStartable(
  rows: readonly ClaimedRow[],
  sourcesOf: (row: ClaimedRow) => readonly string[],
  pacedUntil: (source: string | undefined) => number | undefined,
): Choice | undefined {
  const moments = new Map<string | undefined, number | undefined>();
  let until: number | undefined;
  for (const [index, row] of rows.slice(0, MAX_LOOKED_AT).entries()) {
    const sources = sourcesOf(row);
    for (const source of sources.length > 0 ? sources : [undefined]) {
      if (!moments.has(source)) moments.set(source, pacedUntil(source));
      const moment = moments.get(source);
      if (moment === undefined) return { index, source };
      until = Math.min(until ?? moment, moment);
    }
  }
  return until === undefined ? undefined : { until };
}
