import Type, { type Static } from 'typebox';
import { errorSchema, nullable } from './replies.ts';

const attachmentSchema = Type.Object({
  number: Type.Integer({ description: 'In the path of its content' }),
  name: nullable(Type.String()),
  content_type: Type.String(),
  size: Type.Integer({ description: 'Bytes, decoded' }),
  cid: nullable(Type.String({ description: 'The html names it as cid:…' })),
  inline: Type.Boolean(),
});
export type AttachmentBody = Static<typeof attachmentSchema>;

const failures = {
  400: errorSchema,
  401: errorSchema,
  403: errorSchema,
  404: errorSchema,
  410: errorSchema,
  503: errorSchema,
};
const readingFailures = { ...failures, 422: errorSchema };

const messageParams = Type.Object({ id: Type.String() });

/** An answer that is no JSON. */
const bytes = (...types: string[]) => ({
  description: 'As it is in the message',
  content: Object.fromEntries(types.map((type) => [type, { schema: { type: 'string', format: 'binary' } }])),
});

export const showSourceSchema = {
  params: messageParams,
  response: { 200: bytes('message/rfc822'), ...failures },
};

export const listPartsSchema = {
  params: messageParams,
  response: {
    200: Type.Object({
      text: nullable(Type.String()),
      html: nullable(
        Type.String({ description: 'As it was sent: not fit to be shown within a page of yours' }),
      ),
      attachments: Type.Array(attachmentSchema),
    }),
    406: errorSchema,
    ...readingFailures,
  },
};

export const showTextSchema = {
  params: messageParams,
  response: { 200: bytes('text/plain'), ...readingFailures },
};

export const showHtmlSchema = {
  params: messageParams,
  response: { 200: bytes('text/html'), ...readingFailures },
};

export const showAttachmentSchema = {
  params: Type.Object({ id: Type.String(), number: Type.String() }),
  response: { 200: bytes('application/octet-stream'), ...readingFailures },
};
