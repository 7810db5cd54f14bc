import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { findOrganization } from '../models/organization.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { showOwnOrganizationSchema } from '../schemas/organizations.ts';
import { toOrganization } from './organization-terms.ts';

/** What an organization sees of itself. */
export function ownOrganizationRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/organization', { schema: showOwnOrganizationSchema }, async (request, reply) => {
      const organization = await findOrganization(store.pool, organizationIdOf(request));
      return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
    });
  };
}
