/**
 * The columns of a list in CSV, and its cells. A spreadsheet runs what begins with `=`, `+`, `-` or `@`: such a cell
 * gets an apostrophe in front when it is written, and loses it when it is read, so that an export imports as it was.
 */

export const columns = [
  'address',
  'list',
  'domain',
  'stream',
  'reason',
  'note',
  'expires_at',
  'created_at',
] as const;
export type Column = (typeof columns)[number];

/** Full-width forms too, which some spreadsheets read as the plain ones. */
const FORMULA = String.raw`'*[=+\-@\t\r＝＋－＠]`;
const MAY_RUN = new RegExp(`^(?=${FORMULA})`);
const IS_GUARDED = new RegExp(`^'(?=${FORMULA})`);

export function guardCell(text: string): string {
  return text.replace(MAY_RUN, "'");
}

export function unguardCell(text: string): string {
  return text.replace(IS_GUARDED, '');
}
