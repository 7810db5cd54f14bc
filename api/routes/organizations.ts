import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { createOrganizationToken } from '../models/api-token.ts';
import {
  createOrganization,
  findOrganization,
  listOrganizations,
  type Organization,
  resumeOrganization,
  suspendOrganization,
  updateOrganization,
} from '../models/organization.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createOrganizationSchema,
  listOrganizationsSchema,
  showOrganizationSchema,
  suspensionSchema,
  updateOrganizationSchema,
} from '../schemas/organizations.ts';
import { readId } from './id.ts';
import { readChanges, toOrganization } from './organization-terms.ts';
import { addTokenRoutes } from './token-resource.ts';

/** What an operator does: customers, their limits, their first token, and an end to their sending. */
export function organizationRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/organizations', { schema: listOrganizationsSchema }, async (request) => {
      const { limit, before } = request.query;
      return (await listOrganizations(store.pool, { limit, before })).map(toOrganization);
    });

    app.get('/organizations/:id', { schema: showOrganizationSchema }, async (request, reply) => {
      const organization = await findOrganization(store.pool, readId(request.params.id));
      return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/organizations', { schema: createOrganizationSchema }, async (request, reply) => {
      const { name, ...terms } = request.body.organization;
      const organization = await change(
        store,
        request,
        async (tx) => {
          const { id } = await createOrganization(tx, name);
          return updateOrganization(tx, id, readChanges(terms));
        },
        (created) => created && describe('created', created),
      );
      if (!organization) throw new Error('the organization that was just made is not there');
      return reply.code(201).send(toOrganization(organization));
    });

    app.patch('/organizations/:id', { schema: updateOrganizationSchema }, async (request, reply) => {
      const changes = readChanges(request.body.organization);
      const organization = await change(
        store,
        request,
        (tx) => updateOrganization(tx, readId(request.params.id), changes),
        (changed) => changed && describe('changed', changed),
      );
      return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
    });

    app.put('/organizations/:id/suspension', { schema: suspensionSchema }, async (request, reply) => {
      const organization = await change(
        store,
        request,
        (tx) => suspendOrganization(tx, readId(request.params.id)),
        (suspended) => suspended && describe('suspended', suspended),
      );
      return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
    });

    app.delete('/organizations/:id/suspension', { schema: suspensionSchema }, async (request, reply) => {
      const organization = await change(
        store,
        request,
        (tx) => resumeOrganization(tx, readId(request.params.id)),
        (resumed) => resumed && describe('resumed', resumed),
      );
      return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
    });

    addTokenRoutes(app, store, '/organizations/:id/api_tokens', async (_request, id) => {
      if (!(await findOrganization(store.pool, id))) return undefined;
      return {
        owner: { organizationId: id },
        organizationId: id,
        createToken: (tx, terms) => createOrganizationToken(tx, { organizationId: id, ...terms }),
      };
    });
  };
}

function describe(action: 'created' | 'changed' | 'suspended' | 'resumed', organization: Organization) {
  const { id, name, suspended_at: _, created_at: __, ...terms } = toOrganization(organization);
  return {
    organizationId: id,
    action: `organization.${action}`,
    subject: name,
    subjectId: id,
    details: terms,
  };
}
