import Type, { type Static } from 'typebox';
import { inboundStates } from '../models/inbound-message.ts';
import { listPartsSchema, showAttachmentSchema, showSourceSchema } from './message-sources.ts';
import { errorSchema, managementFailures, moment, nextCursor, nullable, pageQuery } from './replies.ts';

/** What inbound has found; its fields are those of lib/rpc/contracts/inbound-messages.ts. */
export const finding = Type.Record(Type.String(), Type.Unknown());

const messageSchema = Type.Object({
  id: Type.Integer(),
  domain: Type.String(),
  route_id: Type.Integer(),
  status: Type.Enum(inboundStates),
  reason: nullable(
    Type.String({ description: 'What its target last answered, or what keeps it from there' }),
  ),
  envelope: Type.Object({ from: Type.String(), to: Type.String() }),
  from: Type.String(),
  subject: nullable(Type.String()),
  message_id: nullable(Type.String()),
  size: Type.Integer({ description: 'Bytes' }),
  reply_to: nullable(Type.Integer({ description: 'The sent message that it answers' })),
  forward_id: nullable(Type.Integer({ description: 'The message by which it was forwarded' })),
  client: finding,
  spf: finding,
  dkim: Type.Array(finding),
  dmarc: finding,
  arc: finding,
  spam: nullable(finding),
  virus: nullable(Type.String()),
  created_at: moment,
});
export type InboundMessageBody = Static<typeof messageSchema>;

const failures = { 400: errorSchema, ...managementFailures };
const params = Type.Object({ id: Type.String() });

export const listInboundMessagesSchema = {
  querystring: Type.Object({
    route_id: Type.Optional(Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 })),
    status: Type.Optional(Type.Enum(inboundStates)),
    recipient: Type.Optional(Type.String({ maxLength: 320 })),
    ...pageQuery,
  }),
  response: {
    200: Type.Object({
      inbound_messages: Type.Array(messageSchema),
      next_cursor: nextCursor,
    }),
    ...failures,
  },
};
export const showInboundMessageSchema = { params, response: { 200: messageSchema, ...failures } };
export const showInboundSourceSchema = showSourceSchema;
export const listInboundPartsSchema = listPartsSchema;
export const showInboundAttachmentSchema = showAttachmentSchema;
