import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { readRoute } from '../inbound/read-route.ts';
import {
  createInboundRoute,
  deleteInboundRoute,
  findInboundRoute,
  type InboundRoute,
  listInboundRoutes,
  MAX_ROUTES,
} from '../models/inbound-route.ts';
import { findOwnedDomain, nameOfDomain } from '../models/list-owner.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, ownerOf } from '../plugins/list-owner.ts';
import {
  createInboundRouteSchema,
  deleteInboundRouteSchema,
  type InboundRouteBody,
  listInboundRoutesSchema,
  showInboundRouteSchema,
} from '../schemas/inbound-routes.ts';
import { createEndpointCheck } from '../webhooks/endpoint-check.ts';
import { formatSecret } from '../webhooks/signature.ts';
import { readId } from './id.ts';

const NO_SUCH_DOMAIN = { errors: { domain: ['is not a domain of this token'] } };
const refusals = {
  taken: { errors: { address: ['has a route already'] } },
  foreign: { errors: { address: ['is at a domain of its own, which has its own routes'] } },
  too_many: { errors: { request: [`there are ${MAX_ROUTES} routes already`] } },
};

export function inboundRouteRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const checkEndpoint = createEndpointCheck(settings);

  return async (app) => {
    app.addHook('onRequest', authenticateOwner(store.pool));

    app.get('/inbound_routes', { schema: listInboundRoutesSchema }, async (request) => ({
      inbound_routes: (await listInboundRoutes(store.pool, ownerOf(request))).map(toRoute),
    }));

    app.get('/inbound_routes/:id', { schema: showInboundRouteSchema }, async (request, reply) => {
      const route = await findInboundRoute(store.pool, readId(request.params.id), ownerOf(request));
      return route ? toRoute(route) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/inbound_routes', { schema: createInboundRouteSchema }, async (request, reply) => {
      const owner = await findOwnedDomain(store.pool, ownerOf(request), request.body.domain ?? undefined);
      if (owner?.domainId === undefined) return reply.code(422).send(NO_SUCH_DOMAIN);
      const { organizationId, domainId } = owner;
      const read = await readRoute(request.body, await nameOfDomain(store.pool, domainId), checkEndpoint);
      if (!read.ok) return reply.code(422).send({ errors: read.errors });
      const result = await change(
        store,
        request,
        (tx) => createInboundRoute(tx, { organizationId, domainId }, read.route, settings.secrets.key),
        (created) => (created.ok ? describeChange('created', created.route) : undefined),
      );
      if (!result.ok) return reply.code(422).send(refusals[result.reason]);
      const secret = result.secret ? formatSecret(result.secret) : null;
      return reply.code(201).send({ ...toRoute(result.route), secret });
    });

    app.delete('/inbound_routes/:id', { schema: deleteInboundRouteSchema }, async (request, reply) => {
      const deleted = await change(
        store,
        request,
        (tx) => deleteInboundRoute(tx, readId(request.params.id), ownerOf(request)),
        (route) => route && describeChange('deleted', route),
      );
      return deleted ? { message: 'Inbound route deleted' } : reply.code(404).send(NOT_FOUND);
    });
  };
}

function describeChange(action: 'created' | 'deleted', route: InboundRoute) {
  const { organizationId, id: subjectId, target, destination } = route;
  const details = { target, destination };
  return { organizationId, action: `inbound_route.${action}`, subject: addressOf(route), subjectId, details };
}

function addressOf({ kind, localPart, hostname }: InboundRoute): string {
  return `${kind === 'catch_all' ? '*' : localPart}@${hostname}`;
}

function toRoute(route: InboundRoute): InboundRouteBody {
  return {
    id: route.id,
    domain: route.domain,
    address: addressOf(route),
    kind: route.kind,
    subaddressing: route.subaddressing,
    target: route.target,
    url: route.destination || null,
    basic_auth: route.hasBasicAuth,
    dmarc: route.dmarc,
    spam_refuse_score: route.spamRefuseScore,
    description: route.description,
    created_at: route.createdAt.toISOString(),
    updated_at: route.updatedAt.toISOString(),
  };
}
