import type { Readable } from 'node:stream';
import Type, { type Static } from 'typebox';
import { importStates } from '../models/suppression-import.ts';
import { errorSchema, errorsSchema, managementFailures, moment, nullable } from './replies.ts';
import { suppressionFilters } from './suppressions.ts';

const importSchema = Type.Object({
  id: Type.Integer(),
  state: Type.Enum(importStates, { description: 'failed: the rest of the file could not be read' }),
  domain: nullable(Type.String({ description: 'Of lines that name none; null: every domain' })),
  bytes: Type.Integer({ description: 'Of the file' }),
  lines: Type.Integer({ description: 'Read so far, without the first' }),
  added: Type.Integer(),
  changed: Type.Integer(),
  refused: Type.Integer(),
  problems: Type.Array(
    Type.Object({
      line: Type.Integer({ description: 'In the file, from 1' }),
      column: nullable(Type.String()),
      problem: Type.String(),
    }),
    { description: 'The first hundred' },
  ),
  created_at: moment,
  finished_at: nullable(moment),
});
export type ImportBody = Static<typeof importSchema>;

const csv = { content: { 'text/csv': { schema: Type.Unsafe<Readable>({ type: 'string' }) } } };
const failures = { 400: errorSchema, ...managementFailures };

export const createImportSchema = {
  querystring: Type.Object({ domain: suppressionFilters.domain }),
  // A stream, so there is nothing to validate.
  body: { content: { 'text/csv': { schema: Type.Unknown() } } },
  response: { 202: importSchema, 409: errorSchema, 413: errorsSchema, ...failures },
};

export const showImportSchema = {
  params: Type.Object({ id: Type.String() }),
  response: { 200: importSchema, ...failures },
};

export const exportSchema = {
  querystring: Type.Object(suppressionFilters),
  response: { 200: csv, ...failures },
};
