import type { FastifyPluginAsync } from 'fastify';
import { unsubscribeBase } from '../../lib/unsubscribe.ts';
import type { Context } from '../app.ts';
import { sendMessage } from '../mail/send.ts';
import { createSendGroup } from '../mail/send-group.ts';
import { authenticateDomain, domainCredentialOf, requireSendingAllowed } from '../plugins/authentication.ts';
import { replayOr } from '../plugins/idempotency.ts';
import { limitSending } from '../plugins/rate-limits.ts';
import { traceparentOf, traceRequests } from '../plugins/tracing.ts';
import { sendSchema } from '../schemas/send.ts';

export function sendRoutes({
  store,
  settings,
  metrics,
  limiter,
  templates,
  tracer,
}: Context): FastifyPluginAsync {
  const { limits } = settings;
  const offersUnsubscribe = unsubscribeBase(settings) !== undefined;
  const group = createSendGroup(store);

  return async (app) => {
    traceRequests(app, tracer);
    app.addHook('onRequest', authenticateDomain(store.pool));
    app.addHook('onRequest', requireSendingAllowed);
    app.addHook('onRequest', limitSending(limiter, limits));

    // The body's schema is documentation: the contract has an order of checks and words of its own.
    app.post('/send', { schema: sendSchema, validatorCompiler: () => () => true }, (request, reply) =>
      replayOr(store, request, reply, async (key) => {
        const outcome = await sendMessage(store, domainCredentialOf(request), request.body, {
          limits,
          offersUnsubscribe,
          key,
          group,
          templates,
          traceparent: traceparentOf(request),
        });
        if (outcome.state === 'answered' && outcome.answer.status === 200) {
          metrics.accepted('http', domainCredentialOf(request).organizationId, 1);
        }
        return outcome;
      }),
    );
  };
}
