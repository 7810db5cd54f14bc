import Type from 'typebox';
import { anyErrorSchema, errorSchema } from './replies.ts';
import { idempotencyHeader, sendBodySchema } from './send.ts';

const resultSchema = Type.Object({
  status: Type.Enum(['pending', 'refused']),
  id: Type.Optional(Type.Integer({ description: 'Of a message that was taken' })),
  code: Type.Optional(Type.Integer({ description: 'As /send would have answered' })),
  error: Type.Optional(Type.String()),
  errors: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
});
const resultsSchema = Type.Object({
  results: Type.Array(resultSchema, { description: 'In the order of the messages' }),
});

export const sendBatchSchema = {
  headers: idempotencyHeader,
  body: Type.Object({ messages: Type.Array(sendBodySchema, { minItems: 1, maxItems: 500 }) }),
  response: {
    200: resultsSchema,
    400: Type.Union([resultsSchema, anyErrorSchema]),
    401: errorSchema,
    403: errorSchema,
    406: errorSchema,
    409: errorSchema,
    413: errorSchema,
    422: errorSchema,
    429: errorSchema,
    503: errorSchema,
  },
};
