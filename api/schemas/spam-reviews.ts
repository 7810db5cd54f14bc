import Type, { type Static } from 'typebox';
import { managementFailures as failures, moment, nullable } from './replies.ts';

const heldSchema = Type.Object({
  /** Of the message */
  id: Type.Integer(),
  organization_id: Type.Integer(),
  domain: Type.String(),
  from: Type.String(),
  subject: nullable(Type.String()),
  recipients: Type.Integer(),
  score: Type.Number(),
  symbols: Type.Array(Type.Object({ name: Type.String(), score: Type.Number() })),
  created_at: moment,
});
export type HeldBody = Static<typeof heldSchema>;

export const listSpamReviewsSchema = {
  querystring: Type.Object({
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    after: Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 0,
      description: 'Newer than this id',
    }),
  }),
  response: { 200: Type.Array(heldSchema), ...failures },
};

/** 404: no message with this id waits for a decision. */
export const decideSpamReviewSchema = {
  params: Type.Object({ id: Type.String() }),
  response: {
    200: Type.Object({ id: Type.Integer(), review: Type.Enum(['released', 'refused']) }),
    ...failures,
  },
};
