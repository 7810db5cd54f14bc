import Type, { type Static } from 'typebox';
import { managementFailures as failures, moment, singleLine } from './replies.ts';

/** As the contract has it (1.5), without what Postern has no counterpart of. */
const domainSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  url: Type.String(),
  dkim_selector: Type.String(),
  dkim_string: Type.String(),
  dkim_verified: Type.Boolean(),
  created_at: moment,
  modified_at: moment,
});
export type DomainBody = Static<typeof domainSchema>;

const domainParams = Type.Object({ id: Type.String() });
const name = Type.Optional(singleLine);

export const listDomainsSchema = {
  querystring: Type.Object({
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    offset: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 0 }),
  }),
  response: { 200: Type.Array(domainSchema), ...failures },
};

export const showDomainSchema = { params: domainParams, response: { 200: domainSchema, ...failures } };

export const createDomainSchema = {
  body: Type.Object({ domain: Type.Object({ url: Type.String({ maxLength: 253 }), name }) }),
  response: { 201: domainSchema, ...failures },
};

export const verifyDomainSchema = {
  params: domainParams,
  response: {
    200: Type.Object({
      dkim_verified: Type.Boolean(),
      errors: Type.Record(Type.String(), Type.String()),
    }),
    ...failures,
  },
};
