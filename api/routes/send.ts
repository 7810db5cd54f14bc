import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { sendMessage } from '../mail/send.ts';
import { authenticateDomain, domainCredentialOf, requireSendingAllowed } from '../plugins/authentication.ts';
import { sendSchema } from '../schemas/send.ts';

export function sendRoutes({ store, settings, metrics }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateDomain(store.pool));
    app.addHook('onRequest', requireSendingAllowed);

    // The body's schema is documentation: the contract has an order of checks and words of its own.
    app.post('/send', { schema: sendSchema, validatorCompiler: () => () => true }, async (request, reply) => {
      const result = await sendMessage(store, domainCredentialOf(request), request.body, settings.limits);
      if (!result.ok) return reply.code(result.refusal.code).send(result.refusal.body);
      metrics.messagesAccepted.inc({ source: 'http' });
      return { id: result.id, status: 'pending' as const };
    });
  };
}
