import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import type { Transaction } from '../database.ts';
import { askToConfirm, findAskProblem } from '../inbound/ask-to-confirm.ts';
import { readRoute } from '../inbound/read-route.ts';
import { readTargetChange } from '../inbound/read-target.ts';
import { hasEndpoint } from '../models/inbound-endpoint.ts';
import { findInboundRoute, type InboundRoute, listInboundRoutes } from '../models/inbound-route.ts';
import {
  changeInboundRoute,
  createInboundRoute,
  deleteInboundRoute,
  MAX_ROUTES,
} from '../models/inbound-route-lifecycle.ts';
import { findOwnedDomain, nameOfDomain } from '../models/list-owner.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, NO_SUCH_DOMAIN, ownerOf } from '../plugins/list-owner.ts';
import {
  changeInboundRouteSchema,
  createInboundRouteSchema,
  deleteInboundRouteSchema,
  type InboundRouteBody,
  listInboundRoutesSchema,
  type RouteChangeBody,
  showInboundRouteSchema,
} from '../schemas/inbound-routes.ts';
import { createEndpointCheck, createServerCheck } from '../webhooks/endpoint-check.ts';
import { formatSecret } from '../webhooks/signature.ts';
import { readId } from './id.ts';

const ADDRESS_STAYS = { errors: { address: ['cannot be changed: make another route'] } };
const refusals = {
  taken: { errors: { address: ['has a route already'] } },
  foreign: { errors: { address: ['is at a domain of its own, which has its own routes'] } },
  too_many: { errors: { request: [`there are ${MAX_ROUTES} routes already`] } },
};

export function inboundRouteRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const checks = { endpoint: createEndpointCheck(settings), server: createServerCheck(settings) };

  const { confirmsForwards } = settings.inbound;

  /** What keeps an address from being asked, where it has to be */
  async function findForwardProblem(
    { organizationId }: { organizationId: number },
    domain: string,
    { target, destination: to = '' }: { target?: string; destination?: string },
    isAgain: boolean,
  ) {
    if (!confirmsForwards || target !== 'forward') return undefined;
    const problem = await findAskProblem(store.pool, { organizationId, domain, to }, isAgain);
    return problem && { errors: { forward_to: [problem] } };
  }

  async function askForward(tx: Transaction, route: InboundRoute) {
    if (!confirmsForwards || route.target !== 'forward') return;
    const { organizationId, domain, destination: to } = route;
    await askToConfirm(tx, { organizationId, domain, to }, addressOf(route));
  }

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
      const domain = await nameOfDomain(store.pool, domainId);
      const read = await readRoute(request.body, domain, checks);
      if (!read.ok) return reply.code(422).send({ errors: read.errors });
      const problem = await findForwardProblem({ organizationId }, domain, read.route, false);
      if (problem) return reply.code(422).send(problem);
      const result = await change(
        store,
        request,
        async (tx) => {
          const created = await createInboundRoute(
            tx,
            { organizationId, domainId },
            read.route,
            settings.secrets.key,
          );
          if (created.ok) await askForward(tx, created.route);
          return created;
        },
        (created) => (created.ok ? describeChange('created', created.route) : undefined),
      );
      if (!result.ok) return reply.code(422).send(refusals[result.reason]);
      return reply.code(201).send(withSecret(result));
    });

    app.patch('/inbound_routes/:id', { schema: changeInboundRouteSchema }, async (request, reply) => {
      const { params, body } = request;
      const owner = ownerOf(request);
      const existing = await findInboundRoute(store.pool, readId(params.id), owner);
      if (!existing) return reply.code(404).send(NOT_FOUND);
      if (body.address !== undefined) return reply.code(422).send(ADDRESS_STAYS);
      const read = await readTargetChange(body, existing, checks);
      if (!read.ok) return reply.code(422).send({ errors: read.errors });
      const asked = { ...readTerms(body), ...read.value };
      const isAgain = read.value.destination?.toLowerCase() === existing.destination.toLowerCase();
      const problem = await findForwardProblem(owner, existing.domain, read.value, isAgain);
      if (problem) return reply.code(422).send(problem);
      const result = await change(
        store,
        request,
        async (tx) => {
          const changed = await changeInboundRoute(tx, existing.id, owner, asked, settings.secrets.key);
          if (changed && asked.destination) await askForward(tx, changed.route);
          return changed;
        },
        (changed) => changed && describeChange('changed', changed.route),
      );
      return result ? withSecret(result) : reply.code(404).send(NOT_FOUND);
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

function describeChange(action: 'created' | 'changed' | 'deleted', route: InboundRoute) {
  const { organizationId, id: subjectId, target, destination, dmarc } = route;
  const details = { target, destination, dmarc, spam_refuse_score: route.spamRefuseScore };
  return { organizationId, action: `inbound_route.${action}`, subject: addressOf(route), subjectId, details };
}

function readTerms({ subaddressing, dmarc, description, spam_refuse_score }: RouteChangeBody) {
  return {
    ...(subaddressing !== undefined && { subaddressing }),
    ...(dmarc !== undefined && { dmarc }),
    ...(description !== undefined && { description }),
    ...(spam_refuse_score !== undefined && { spamRefuseScore: spam_refuse_score }),
  };
}

export function addressOf({ kind, localPart, hostname }: InboundRoute): string {
  return `${kind === 'catch_all' ? '*' : localPart}@${hostname}`;
}

function withSecret({ route, secret }: { route: InboundRoute; secret: Buffer | undefined }) {
  return { ...toRoute(route), secret: secret ? formatSecret(secret) : null };
}

export function toRoute(route: InboundRoute): InboundRouteBody {
  return {
    id: route.id,
    domain: route.domain,
    address: addressOf(route),
    kind: route.kind,
    subaddressing: route.subaddressing,
    target: route.target,
    url: hasEndpoint(route) ? route.destination : null,
    forward_to: route.target === 'forward' ? route.destination : null,
    confirmed: route.target === 'forward' ? route.isConfirmed : null,
    basic_auth: route.hasBasicAuth,
    requires_tls: route.target === 'smtp' ? route.requiresTls : null,
    dmarc: route.dmarc,
    spam_refuse_score: route.spamRefuseScore,
    description: route.description,
    created_at: route.createdAt.toISOString(),
    updated_at: route.updatedAt.toISOString(),
  };
}
