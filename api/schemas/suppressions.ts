import Type, { type Static } from 'typebox';
import { lists, MAX_NOTE_CHARACTERS, suppressionReasons, suppressionStreams } from '../models/suppression.ts';
import { errorSchema, managementFailures, moment, nextCursor, nullable, pageQuery } from './replies.ts';

const address = Type.String({ minLength: 3, maxLength: 320 });
const list = Type.Enum(lists);
const stream = Type.Enum(suppressionStreams);
const reason = Type.Enum(suppressionReasons);
const domain = Type.String({ maxLength: 253, description: 'Empty or absent: all of the organization' });
/** Text for people; no control characters. */
const note = Type.String({ maxLength: MAX_NOTE_CHARACTERS, pattern: '^[^\\u0000-\\u001f]*$' });

const suppressionSchema = Type.Object({
  id: Type.Integer(),
  list,
  address: Type.String(),
  domain: nullable(Type.String({ description: 'null: every domain of the organization' })),
  stream,
  reason,
  note: nullable(Type.String()),
  message_id: nullable(Type.Integer({ description: 'The message that bounced' })),
  expires_at: nullable(moment),
  created_at: moment,
});
export type SuppressionBody = Static<typeof suppressionSchema>;

const failures = { 400: errorSchema, ...managementFailures };
const params = Type.Object({ id: Type.String() });
export const suppressionFilters = {
  list: Type.Optional(list),
  address: Type.Optional(address),
  domain: Type.Optional(domain),
  reason: Type.Optional(reason),
  stream: Type.Optional(stream),
};

export const listSuppressionsSchema = {
  querystring: Type.Object({
    ...suppressionFilters,
    ...pageQuery,
  }),
  response: {
    200: Type.Object({
      suppressions: Type.Array(suppressionSchema),
      next_cursor: nextCursor,
    }),
    ...failures,
  },
};

export const createSuppressionSchema = {
  body: Type.Object({
    address,
    list: Type.Optional(list),
    domain: Type.Optional(nullable(domain)),
    stream: Type.Optional(stream),
    reason: Type.Optional(reason),
    note: Type.Optional(nullable(note)),
    expires_at: Type.Optional(nullable(moment)),
  }),
  response: { 201: suppressionSchema, ...failures },
};

export const showSuppressionSchema = { params, response: { 200: suppressionSchema, ...failures } };

export const deleteSuppressionSchema = {
  params,
  response: { 200: Type.Object({ message: Type.String() }), ...failures },
};
