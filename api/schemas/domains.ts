import Type, { type Static } from 'typebox';
import { errorSchema, errorsSchema } from './replies.ts';

const moment = Type.String({ format: 'date-time' });

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

const apiTokenSchema = Type.Object({ id: Type.Integer(), name: Type.String(), created_at: moment });
export type ApiTokenBody = Static<typeof apiTokenSchema>;

/** 401 is a missing, a wrong or a revoked organization token; 404 another organization's domain too. */
const failures = {
  401: errorSchema,
  404: errorSchema,
  406: errorSchema,
  422: errorsSchema,
  503: errorSchema,
};
const domainParams = Type.Object({ id: Type.String() });
/** Text for people; no control characters. */
const name = Type.Optional(Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f]*$' }));

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

export const listTokensSchema = {
  params: domainParams,
  response: { 200: Type.Array(apiTokenSchema), ...failures },
};

export const createTokenSchema = {
  params: domainParams,
  body: Type.Union([Type.Object({ api_token: Type.Optional(Type.Object({ name })) }), Type.Null()]),
  response: {
    201: Type.Object({ ...apiTokenSchema.properties, token: Type.String({ description: 'Shown once' }) }),
    ...failures,
  },
};

export const deleteTokenSchema = {
  params: Type.Object({ id: Type.String(), token_id: Type.String() }),
  response: { 200: Type.Object({ message: Type.String() }), ...failures },
};
