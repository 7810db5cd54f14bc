import Type, { type Static } from 'typebox';
import { states } from '../models/state.ts';
import { streams } from '../models/stream.ts';
import { errorSchema, errorsSchema } from './replies.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const status = Type.Enum(states);
const moment = Type.String({ format: 'date-time' });

const messageSchema = Type.Object({
  id: Type.Integer(),
  status,
  domain_id: Type.Integer(),
  domain: Type.String(),
  source: Type.Union([Type.Literal('http'), Type.Literal('smtp')]),
  from: Type.String(),
  subject: nullable(Type.String()),
  message_id: Type.String(),
  tags: Type.Array(Type.String()),
  stream: Type.Enum(streams),
  metadata: Type.Record(Type.String(), Type.String()),
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

const failures = { 401: errorSchema, 406: errorSchema, 503: errorSchema };

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

export const listMessagesSchema = {
  querystring: Type.Object({
    recipient: Type.Optional(Type.String({ maxLength: 320 })),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    before: Type.Optional(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Older than this id' }),
    ),
  }),
  response: { 200: Type.Array(messageSchema), 400: errorSchema, 422: errorsSchema, ...failures },
};
