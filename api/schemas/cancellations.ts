import Type from 'typebox';
import { states } from '../models/state.ts';
import { errorSchema } from './replies.ts';

const recipientSchema = Type.Object({
  address: Type.String(),
  status: Type.Enum(states),
  outcome: Type.Enum(['cancelled', 'too_late', 'pending'], {
    description: 'pending: in an attempt at this moment; the message shows what becomes of it',
  }),
});

export const createCancellationSchema = {
  params: Type.Object({ id: Type.String() }),
  response: {
    200: Type.Object({ id: Type.Integer(), recipients: Type.Array(recipientSchema) }),
    400: errorSchema,
    401: errorSchema,
    403: errorSchema,
    404: errorSchema,
    406: errorSchema,
    409: Type.Object({
      error: Type.String(),
      id: Type.Integer(),
      recipients: Type.Array(recipientSchema),
    }),
    503: errorSchema,
  },
};
