import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import {
  type ApiToken,
  createDomainToken,
  listDomainTokens,
  revokeDomainToken,
} from '../models/api-token.ts';
import { findDomain } from '../models/domain.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  type ApiTokenBody,
  createTokenSchema,
  deleteTokenSchema,
  listTokensSchema,
} from '../schemas/domains.ts';
import { readId } from './id.ts';

export function apiTokenRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  const findOwnDomain = (request: FastifyRequest, id: string) =>
    findDomain(store.pool, { id: readId(id), organizationId: organizationIdOf(request) });

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/domains/:id/api_tokens', { schema: listTokensSchema }, async (request, reply) => {
      const domain = await findOwnDomain(request, request.params.id);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      return (await listDomainTokens(store.pool, domain.id)).map(toApiToken);
    });

    app.post('/domains/:id/api_tokens', { schema: createTokenSchema }, async (request, reply) => {
      const domain = await findOwnDomain(request, request.params.id);
      if (!domain) return reply.code(404).send(NOT_FOUND);
      const name = request.body?.api_token?.name ?? '';
      const { organizationId, id: domainId } = domain;
      const created = await createDomainToken(store.pool, { organizationId, domainId, name });
      return reply.code(201).send({ ...toApiToken(created), token: created.token });
    });

    app.delete('/domains/:id/api_tokens/:token_id', { schema: deleteTokenSchema }, async (request, reply) => {
      const domain = await findOwnDomain(request, request.params.id);
      const token = { domainId: domain?.id ?? 0, tokenId: readId(request.params.token_id) };
      const isRevoked = await inTransaction(store, (tx) => revokeDomainToken(tx, token));
      return isRevoked ? { message: 'API token revoked' } : reply.code(404).send(NOT_FOUND);
    });
  };
}

function toApiToken({ id, name, createdAt }: ApiToken): ApiTokenBody {
  return { id, name, created_at: createdAt.toISOString() };
}
