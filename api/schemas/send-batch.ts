import Type from 'typebox';
import { anyErrorSchema } from './replies.ts';
import { idempotencyHeader, sendBodySchema, sendFailures } from './send.ts';

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
  operationId: 'sendBatch',
  headers: idempotencyHeader,
  body: Type.Object({ messages: Type.Array(sendBodySchema, { minItems: 1, maxItems: 500 }) }),
  response: {
    200: resultsSchema,
    400: Type.Union([resultsSchema, anyErrorSchema]),
    ...sendFailures,
  },
};
