import Type from 'typebox';
import { streams } from '../models/stream.ts';
import { anyErrorSchema, errorSchema } from './replies.ts';

const addresses = (description: string) => Type.Optional(Type.String({ description }));

/** For the documentation: the request is read by mail/send-request.ts, whose errors are the contract's own. */
export const sendBodySchema = Type.Object({
  from: Type.String({ description: "An address of the token's domain, with or without a name" }),
  to: Type.String({ description: 'One address or a comma separated list of up to 50' }),
  cc: addresses('As to'),
  bcc: addresses('As to; not shown to anybody'),
  subject: Type.Optional(Type.String()),
  htmlbody: Type.Optional(Type.String({ description: 'Required without textbody' })),
  textbody: Type.Optional(Type.String({ description: 'Required without htmlbody' })),
  template: Type.Optional(
    Type.Union([Type.Integer(), Type.String()], {
      description: 'Id or name of a template, in place of htmlbody and textbody',
    }),
  ),
  template_data: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'What the template is filled with' }),
  ),
  replyto: addresses('As to'),
  inreplyto: Type.Optional(Type.String({ description: 'One message id' })),
  references: Type.Optional(Type.String({ description: 'Message ids, separated by spaces' })),
  list_unsubscribe: Type.Optional(
    Type.String({ description: '<https://…>, <mailto:…> as the header has it' }),
  ),
  tags: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  stream: Type.Optional(
    Type.Enum(streams, { default: 'transactional', description: 'bulk never holds up transactional' }),
  ),
  send_at: Type.Optional(
    Type.String({ format: 'date-time', description: 'At most 30 days ahead; at once where it has passed' }),
  ),
  tls: Type.Optional(
    Type.Enum(['opportunistic', 'required'], {
      default: 'opportunistic',
      description: 'required: over TLS with a certificate that holds, or not at all',
    }),
  ),
  unsubscribe: Type.Optional(
    Type.Boolean({ description: 'A one-click link for each recipient; where nothing is said, in bulk' }),
  ),
  headers: Type.Optional(
    Type.Record(Type.String(), Type.String(), { description: 'Header fields of your own; at most 50' }),
  ),
  metadata: Type.Optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'Comes back in messages and events, is not in the mail; at most 50 keys',
    }),
  ),
  attachments: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        content: Type.String({ description: 'Base64' }),
        content_type: Type.Optional(Type.String()),
        cid: Type.Optional(Type.String({ description: 'Makes it inline' })),
      }),
    ),
  ),
});

export const idempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      description: 'Sent again under it within 24 hours: the first answer again, and no second mail',
    }),
  ),
});

/** Beside 400, which says what is wrong with the message (contract 1.3); 409 and 422 are about the Idempotency-Key. */
export const sendFailures = {
  401: errorSchema,
  403: errorSchema,
  406: errorSchema,
  409: errorSchema,
  413: errorSchema,
  422: errorSchema,
  429: errorSchema,
  503: errorSchema,
};

export const sendSchema = {
  operationId: 'sendMessage',
  headers: idempotencyHeader,
  body: sendBodySchema,
  response: {
    200: Type.Object({ id: Type.Integer(), status: Type.Literal('pending') }),
    400: anyErrorSchema,
    ...sendFailures,
  },
};
