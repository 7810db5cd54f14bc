import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import type { Transaction } from '../database.ts';
import { createOrganizationToken } from '../models/api-token.ts';
import type { Change } from '../models/audit.ts';
import {
  createOrganization,
  findOrganization,
  listOrganizations,
  type Organization,
  resumeOrganization,
  suspendOrganization,
  updateOrganization,
} from '../models/organization.ts';
import { insertOrganizationWebhooks, type OrganizationChange } from '../models/webhook-outbox.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createOrganizationSchema,
  listOrganizationsSchema,
  resumeOrganizationSchema,
  showOrganizationSchema,
  suspendOrganizationSchema,
  updateOrganizationSchema,
} from '../schemas/organizations.ts';
import { readId } from './id.ts';
import { readChanges, toOrganization } from './organization-terms.ts';
import { addTokenRoutes } from './token-resource.ts';

/** What an operator does: customers, their limits, their first token, and an end to their sending. */
export function organizationRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  const switchSending = (
    request: FastifyRequest<{ Params: { id: string } }>,
    work: (tx: Transaction, id: number) => Promise<Organization | undefined>,
    action: 'suspended' | 'resumed',
  ): Promise<Organization | undefined> =>
    change(
      store,
      request,
      async (tx) => {
        const switched = await work(tx, readId(request.params.id));
        if (switched) await tellEndpoints(tx, switched, `organization.${action}`);
        return switched;
      },
      (switched) => switched && describe(action, switched),
    );

  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/organizations', { schema: listOrganizationsSchema }, async (request) => {
      return (await listOrganizations(store.pool, request.query)).map(toOrganization);
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

    app.put(
      '/organizations/:id/suspension',
      { schema: suspendOrganizationSchema },
      async (request, reply) => {
        const { kind = 'operator', reason = null } = request.body ?? {};
        const suspend = (tx: Transaction, id: number) => suspendOrganization(tx, id, { kind, reason });
        const organization = await switchSending(request, suspend, 'suspended');
        return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
      },
    );

    app.delete(
      '/organizations/:id/suspension',
      { schema: resumeOrganizationSchema },
      async (request, reply) => {
        const organization = await switchSending(request, resumeOrganization, 'resumed');
        return organization ? toOrganization(organization) : reply.code(404).send(NOT_FOUND);
      },
    );

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

function tellEndpoints(
  tx: Transaction,
  { id, suspensionKind }: Organization,
  event: OrganizationChange['event'],
): Promise<void> {
  return insertOrganizationWebhooks(tx, { event, organizationId: id, kind: suspensionKind, reason: null });
}

type Action = 'created' | 'changed' | 'suspended' | 'resumed';

function describe(action: Action, organization: Organization): Change {
  const { id, name, retention_days, max_domains, messages_per_minute, suspension_kind, suspension_reason } =
    toOrganization(organization);
  const details = {
    ...{ retention_days, max_domains, messages_per_minute },
    ...(suspension_kind && { suspension_kind, suspension_reason }),
  };
  return { organizationId: id, action: `organization.${action}`, subject: name, subjectId: id, details };
}
