import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { confirmAddress } from '../models/forward-address.ts';
import { findInboundRoute } from '../models/inbound-route.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, ownerOf } from '../plugins/list-owner.ts';
import { confirmInboundRouteSchema } from '../schemas/inbound-routes.ts';
import { readId } from './id.ts';
import { addressOf, toRoute } from './inbound-routes.ts';

const NOTHING_TO_CONFIRM = { errors: { request: ['the route forwards to nobody'] } };
const refusals = {
  wrong: { errors: { code: ['is not the one that was sent'] } },
  over: { errors: { code: ['is no longer good: name forward_to again, and another one is sent'] } },
};

/** Whoever gets the mail of a route that forwards has given its owner the code, and so agreed. */
export function inboundConfirmationRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOwner(store.pool));

    app.post(
      '/inbound_routes/:id/confirmation',
      { schema: confirmInboundRouteSchema },
      async (request, reply) => {
        const route = await findInboundRoute(store.pool, readId(request.params.id), ownerOf(request));
        if (!route) return reply.code(404).send(NOT_FOUND);
        if (route.target !== 'forward') return reply.code(422).send(NOTHING_TO_CONFIRM);
        const { organizationId, destination: address, id: subjectId } = route;
        const outcome = await change(
          store,
          request,
          (tx) => confirmAddress(tx, { organizationId, address, code: request.body.code }),
          (result) => {
            if (result !== 'confirmed') return undefined;
            const details = { forward_to: address };
            const action = 'inbound_route.confirmed';
            return { organizationId, action, subject: addressOf(route), subjectId, details };
          },
        );
        if (outcome !== 'confirmed') return reply.code(422).send(refusals[outcome]);
        return toRoute({ ...route, isConfirmed: true });
      },
    );
  };
}
