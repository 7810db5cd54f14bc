import Type, { type Static } from 'typebox';
import { managementFailures as failures, moment } from './replies.ts';

const blockSchema = Type.Object({
  address: Type.String(),
  site: Type.String({ description: 'The provider behind the MX of the domains that it is blocked at' }),
  strikes: Type.Integer({ description: 'How often it was blocked there without a calm time between' }),
  reply: Type.String({ description: 'What the site said' }),
  started_at: moment,
  ends_at: moment,
});
export type BlockBody = Static<typeof blockSchema>;

export const listBlocksSchema = { response: { 200: Type.Array(blockSchema), ...failures } };

export const liftBlockSchema = {
  querystring: Type.Object({
    address: Type.String({ minLength: 2, maxLength: 45 }),
    site: Type.String({ minLength: 1, maxLength: 253 }),
  }),
  response: { 200: Type.Object({ address: Type.String(), site: Type.String() }), ...failures },
};
