import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { CHECK_ADDRESSES } from '../jobs/schedule.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { createCheckSchema } from '../schemas/address-checks.ts';

/** Asks a worker to look at all addresses now; what it finds is in the pools. */
export function addressCheckRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.post('/address_checks', { schema: createCheckSchema }, async (request, reply) => {
      const requestedAt = new Date().toISOString();
      await change(
        store,
        request,
        (tx) => tx.enqueue(CHECK_ADDRESSES, {}),
        () => ({ organizationId: null, action: 'address_check.requested', subject: '', subjectId: null }),
      );
      return reply.code(202).send({ requested_at: requestedAt });
    });
  };
}
