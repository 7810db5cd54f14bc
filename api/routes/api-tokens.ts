import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { createDomainToken } from '../models/api-token.ts';
import { findDomain } from '../models/domain.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { addTokenRoutes } from './token-resource.ts';

/** The tokens of a domain, which send its mail. */
export function apiTokenRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    addTokenRoutes(app, store, '/domains/:id/api_tokens', async (request, id) => {
      const domain = await findDomain(store.pool, { id, organizationId: organizationIdOf(request) });
      if (!domain) return undefined;
      const ids = { organizationId: domain.organizationId, domainId: domain.id };
      return {
        owner: { domainId: domain.id },
        offersSandbox: true,
        organizationId: domain.organizationId,
        createToken: (tx, terms, options) => createDomainToken(tx, { ...ids, ...terms, ...options }),
      };
    });
  };
}
