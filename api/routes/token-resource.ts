/** The routes of a list of tokens, whoever has them: a domain, or an organization. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Store, Transaction } from '../database.ts';
import {
  type ApiToken,
  findToken,
  listTokens,
  revokeToken,
  type TokenOwner,
  type TokenTerms,
  updateToken,
} from '../models/api-token.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createTokenSchema,
  deleteTokenSchema,
  listTokensSchema,
  showTokenSchema,
  updateTokenSchema,
} from '../schemas/api-tokens.ts';
import { readId } from './id.ts';
import { describeTokenChange, readTerms, toApiToken } from './token-terms.ts';

const NO_SANDBOX = { errors: { sandbox: ["is for a domain's token"] } };

export interface TokenHolder {
  owner: TokenOwner;
  organizationId: number;
  /** Whether its tokens may be those of a sandbox. */
  offersSandbox?: true;
  createToken(
    tx: Transaction,
    terms: TokenTerms,
    options: { isSandbox: boolean },
  ): Promise<ApiToken & { token: string }>;
}

/**
 * @param path of the list, as `/domains/:id/api_tokens`
 * @param findHolder whose tokens the request is about; undefined: the caller has no such thing
 */
export function addTokenRoutes(
  fastify: FastifyInstance,
  store: Store,
  path: '/domains/:id/api_tokens' | '/organizations/:id/api_tokens',
  findHolder: (request: FastifyRequest, id: number) => Promise<TokenHolder | undefined>,
): void {
  const app = fastify.withTypeProvider<TypeBoxTypeProvider>();

  app.get(path, { schema: listTokensSchema }, async (request, reply) => {
    const holder = await findHolder(request, readId(request.params.id));
    if (!holder) return reply.code(404).send(NOT_FOUND);
    return (await listTokens(store.pool, holder.owner)).map(toApiToken);
  });

  app.get(`${path}/:token_id`, { schema: showTokenSchema }, async (request, reply) => {
    const holder = await findHolder(request, readId(request.params.id));
    const token = holder && (await findToken(store.pool, holder.owner, readId(request.params.token_id)));
    return token ? toApiToken(token) : reply.code(404).send(NOT_FOUND);
  });

  app.post(path, { schema: createTokenSchema }, async (request, reply) => {
    const holder = await findHolder(request, readId(request.params.id));
    if (!holder) return reply.code(404).send(NOT_FOUND);
    const read = readTerms(request.body?.api_token);
    if (!read.ok) return reply.code(422).send({ errors: read.errors });
    const isSandbox = request.body?.api_token?.sandbox ?? false;
    if (isSandbox && !holder.offersSandbox) return reply.code(422).send(NO_SANDBOX);
    const { token, ...created } = await change(
      store,
      request,
      (tx) => holder.createToken(tx, read.terms, { isSandbox }),
      (made) => describeTokenChange('created', holder.organizationId, made),
    );
    return reply.code(201).send({ ...toApiToken(created), token });
  });

  app.patch(`${path}/:token_id`, { schema: updateTokenSchema }, async (request, reply) => {
    const holder = await findHolder(request, readId(request.params.id));
    if (!holder) return reply.code(404).send(NOT_FOUND);
    const read = readTerms(request.body.api_token);
    if (!read.ok) return reply.code(422).send({ errors: read.errors });
    const token = await change(
      store,
      request,
      (tx) => updateToken(tx, holder.owner, readId(request.params.token_id), read.terms),
      (changed) => changed && describeTokenChange('changed', holder.organizationId, changed),
    );
    return token ? toApiToken(token) : reply.code(404).send(NOT_FOUND);
  });

  app.delete(`${path}/:token_id`, { schema: deleteTokenSchema }, async (request, reply) => {
    const holder = await findHolder(request, readId(request.params.id));
    if (!holder) return reply.code(404).send(NOT_FOUND);
    const token = await change(
      store,
      request,
      (tx) => revokeToken(tx, holder.owner, readId(request.params.token_id)),
      (revoked) => revoked && describeTokenChange('revoked', holder.organizationId, revoked),
    );
    return token ? { message: 'API token revoked' } : reply.code(404).send(NOT_FOUND);
  });
}
