import Type, { type Static } from 'typebox';
import { operatorPurposes } from '../models/operator-message.ts';
import { finding } from './inbound-messages.ts';
import { showSourceSchema } from './message-sources.ts';
import { errorSchema, managementFailures, moment, nextCursor, nullable, pageQuery } from './replies.ts';

const messageSchema = Type.Object({
  id: Type.Integer(),
  purpose: Type.Enum(operatorPurposes),
  envelope: Type.Object({ from: Type.String(), to: Type.String() }),
  from: Type.String(),
  subject: nullable(Type.String()),
  message_id: nullable(Type.String()),
  size: Type.Integer({ description: 'Bytes' }),
  client: finding,
  spf: finding,
  dkim: Type.Array(finding),
  dmarc: finding,
  spam: nullable(finding),
  seen_at: nullable(Type.String({ format: 'date-time', description: 'null: nobody has dealt with it' })),
  created_at: moment,
});
export type OperatorMessageBody = Static<typeof messageSchema>;

const failures = { 400: errorSchema, ...managementFailures };
const params = Type.Object({ id: Type.String() });

export const listOperatorMessagesSchema = {
  querystring: Type.Object({
    purpose: Type.Optional(Type.Enum(operatorPurposes)),
    seen: Type.Optional(Type.Boolean()),
    ...pageQuery,
  }),
  response: {
    200: Type.Object({
      operator_messages: Type.Array(messageSchema),
      next_cursor: nextCursor,
    }),
    ...failures,
  },
};
export const showOperatorMessageSchema = { params, response: { 200: messageSchema, ...failures } };
export const showOperatorSourceSchema = showSourceSchema;
