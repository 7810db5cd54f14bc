import Type, { type Static } from 'typebox';
import { scopes } from '../models/scope.ts';
import { managementFailures, moment, nullable, singleLine } from './replies.ts';

export const apiTokenSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  scopes: nullable(Type.Array(Type.String(), { description: 'null: all that its kind of token can' })),
  allowed_networks: Type.Array(Type.String({ description: 'CIDR; an empty list: from anywhere' })),
  expires_at: nullable(moment),
  sandbox: Type.Boolean({ description: 'Its mail is accepted, and never leaves' }),
  last_used_at: nullable(moment),
  created_at: moment,
});
export type ApiTokenBody = Static<typeof apiTokenSchema>;

const terms = Type.Object({
  name: Type.Optional(singleLine),
  scopes: Type.Optional(
    nullable(Type.Array(Type.Enum(scopes), { minItems: 1, maxItems: scopes.length, uniqueItems: true })),
  ),
  allowed_networks: Type.Optional(Type.Array(Type.String({ maxLength: 50 }), { maxItems: 100 })),
  expires_at: Type.Optional(nullable(moment)),
});
export type TokenTermsBody = Static<typeof terms>;

const created = Type.Object({
  ...apiTokenSchema.properties,
  token: Type.String({ description: 'Shown once' }),
});
/** The contract lets the body be absent. */
const newTerms = Type.Object({
  ...terms.properties,
  sandbox: Type.Optional(Type.Boolean({ description: "Of a domain's token; cannot be changed later" })),
});
export const newToken = Type.Union([Type.Object({ api_token: Type.Optional(newTerms) }), Type.Null()]);
export const changedToken = Type.Object({ api_token: terms });

const listParams = Type.Object({ id: Type.String() });
const params = Type.Object({ id: Type.String(), token_id: Type.String() });

export const listTokensSchema = {
  params: listParams,
  response: { 200: Type.Array(apiTokenSchema), ...managementFailures },
};
export const showTokenSchema = { params, response: { 200: apiTokenSchema, ...managementFailures } };
export const createTokenSchema = {
  params: listParams,
  body: newToken,
  response: { 201: created, ...managementFailures },
};
export const updateTokenSchema = {
  params,
  body: changedToken,
  response: { 200: apiTokenSchema, ...managementFailures },
};
export const deleteTokenSchema = {
  params,
  response: { 200: Type.Object({ message: Type.String() }), ...managementFailures },
};
