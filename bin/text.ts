/** Text for a terminal. */
import { stripVTControlCharacters } from 'node:util';

/** What was written by others, subjects and replies say, may not steer the terminal (LG-1). */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}

/** The same of each of its lines. */
export function cleanLines(text: string): string {
  return text.split(/\r?\n/).map(clean).join('\n');
}

/** Columns as wide as their widest cell, two spaces between them; the last is not padded. */
export function formatTable(heads: string[], rows: string[][]): string {
  const lines = [heads, ...rows].map((row) => row.map(clean));
  const widths = heads.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  return lines
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** As `3 s`, `12 min`, `5 h`, `2 d`. */
export function formatDuration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
