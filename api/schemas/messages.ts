import Type, { type Static } from 'typebox';
import { messageSources } from '../models/message.ts';
import { states } from '../models/state.ts';
import { streams } from '../models/stream.ts';
import { anyErrorSchema, errorSchema, moment, nullable } from './replies.ts';

const status = Type.Enum(states);

const messageSchema = Type.Object({
  id: Type.Integer(),
  status,
  domain_id: Type.Integer(),
  domain: Type.String(),
  source: Type.Enum(messageSources),
  from: Type.String(),
  subject: nullable(Type.String()),
  message_id: Type.String(),
  tags: Type.Array(Type.String()),
  stream: Type.Enum(streams),
  metadata: Type.Record(Type.String(), Type.String()),
  send_at: nullable(moment),
  sandbox: Type.Boolean({ description: 'Sent with a sandbox token: it never left' }),
  created_at: moment,
  updated_at: moment,
});
export type MessageBody = Static<typeof messageSchema>;

const recipientSchema = Type.Object({
  address: Type.String(),
  kind: Type.Union([Type.Literal('to'), Type.Literal('cc'), Type.Literal('bcc')]),
  status,
  attempts: Type.Integer(),
  /** The last reply that mattered. */
  response: nullable(Type.String()),
  code: nullable(Type.Integer()),
  enhanced_code: nullable(Type.String()),
  category: nullable(Type.String()),
  mx: nullable(Type.String()),
  updated_at: moment,
});
export type RecipientBody = Static<typeof recipientSchema>;

const eventSchema = Type.Object({
  event: Type.String(),
  recipient: nullable(Type.String()),
  occurred_at: moment,
  data: Type.Record(Type.String(), Type.Unknown()),
});
export type EventBody = Static<typeof eventSchema>;

const failures = { 401: errorSchema, 403: errorSchema, 406: errorSchema, 503: errorSchema };

export const showMessageSchema = {
  params: Type.Object({ id: Type.String() }),
  response: {
    200: Type.Object({
      ...messageSchema.properties,
      recipients: Type.Array(recipientSchema),
      timeline: Type.Array(eventSchema),
    }),
    400: errorSchema,
    404: errorSchema,
    ...failures,
  },
};

const text = (description: string, maxLength: number) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description }));
const oneOrMore = (description: string, maxLength: number) => {
  const one = Type.String({ minLength: 1, maxLength });
  return Type.Optional(Type.Union([one, Type.Array(one, { maxItems: 10 })], { description }));
};

const messageQuerySchema = Type.Object({
  recipient: text(
    'An address, in any case; `ann*` is all that begin with ann, at least three characters',
    320,
  ),
  subject: text('Words, in any order and case; all of them are in the subject', 1000),
  tag: oneOrMore('The message has all of these', 255),
  message_id: text('The Message-ID, with or without its angle brackets', 998),
  metadata: oneOrMore('`key:value`; the message has all of these', 600),
  status: Type.Optional(status),
  stream: Type.Optional(Type.Enum(streams)),
  source: Type.Optional(Type.Enum(messageSources)),
  domain_id: Type.Optional(
    Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Of the organization' }),
  ),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'Accepted at this time or later' })),
  until: Type.Optional(Type.String({ format: 'date-time', description: 'Accepted before this time' })),
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  cursor: text('`next_cursor` of the page before', 100),
});
export type MessageQuery = Static<typeof messageQuerySchema>;

export const listMessagesSchema = {
  querystring: messageQuerySchema,
  response: {
    200: Type.Object({
      messages: Type.Array(messageSchema),
      next_cursor: nullable(
        Type.String({
          description: 'Null: there are no more. A page may be short, even empty, and have one: then go on',
        }),
      ),
    }),
    400: anyErrorSchema,
    ...failures,
  },
};

export const listEventsSchema = {
  params: Type.Object({ id: Type.String() }),
  response: {
    200: Type.Object({ events: Type.Array(eventSchema) }),
    400: errorSchema,
    404: errorSchema,
    ...failures,
  },
};
