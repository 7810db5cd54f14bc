/** Entries of block and allow lists and their imports, as the api shows them and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import { formatTable } from './text.ts';

export const suppressionSchema = Type.Object({
  id: Type.Integer(),
  list: Type.String(),
  address: Type.String(),
  domain: nullable(Type.String()),
  stream: Type.String(),
  reason: Type.String(),
  note: nullable(Type.String()),
  expires_at: nullable(Type.String()),
  created_at: Type.String(),
});
export type SuppressionView = Static<typeof suppressionSchema>;

export const pageSchema = Type.Object({
  suppressions: Type.Array(suppressionSchema),
  next_cursor: nullable(Type.String()),
});

export const importSchema = Type.Object({
  id: Type.Integer(),
  state: Type.String(),
  lines: Type.Integer(),
  added: Type.Integer(),
  changed: Type.Integer(),
  refused: Type.Integer(),
  problems: Type.Array(
    Type.Object({ line: Type.Integer(), column: nullable(Type.String()), problem: Type.String() }),
  ),
});
export type ImportView = Static<typeof importSchema>;

export function formatSuppressions(entries: readonly SuppressionView[]): string {
  if (entries.length === 0) return 'No entries.';
  return formatTable(
    ['id', 'list', 'address', 'domain', 'stream', 'reason', 'until', 'note'],
    entries.map((entry) => [
      ...[String(entry.id), entry.list, entry.address, entry.domain ?? 'all', entry.stream, entry.reason],
      ...[entry.expires_at ?? '', entry.note ?? ''],
    ]),
  );
}

export function formatProgress({ lines, added, changed, refused }: ImportView): string {
  return `${lines} lines read: ${added} added, ${changed} changed, ${refused} refused`;
}

export function formatImport(ended: ImportView): string {
  const { state, refused, problems } = ended;
  const head = `Import ${ended.id} ${state === 'failed' ? 'ended early' : state}: ${formatProgress(ended)}.`;
  if (problems.length === 0) return head;
  const table = formatTable(
    ['line', 'column', 'problem'],
    problems.map(({ line, column, problem }) => [String(line), column ?? '', problem]),
  );
  const more = refused > problems.length ? [`and ${refused - problems.length} more`] : [];
  return [head, table, ...more].join('\n');
}
