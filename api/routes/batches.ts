import type { FastifyPluginAsync } from 'fastify';
import { unsubscribeBase } from '../../lib/unsubscribe.ts';
import type { Context } from '../app.ts';
import { readBatch, refuseNoBatch, sendBatch } from '../mail/send-batch.ts';
import { countMessages } from '../mail/sending-rate.ts';
import { authenticateDomain, domainCredentialOf, requireSendingAllowed } from '../plugins/authentication.ts';
import { replayOr } from '../plugins/idempotency.ts';
import { refuseTooFast } from '../plugins/rate-limits.ts';
import { traceparentOf, traceRequests } from '../plugins/tracing.ts';
import { sendBatchSchema } from '../schemas/send-batch.ts';

export function batchRoutes({
  store,
  settings,
  metrics,
  limiter,
  templates,
  tracer,
}: Context): FastifyPluginAsync {
  const { limits } = settings;
  const offersUnsubscribe = unsubscribeBase(settings) !== undefined;

  return async (app) => {
    traceRequests(app, tracer);
    app.addHook('onRequest', authenticateDomain(store.pool));
    app.addHook('onRequest', requireSendingAllowed);

    // The body's schema is documentation, as that of /send.
    const options = { schema: sendBatchSchema, validatorCompiler: () => () => true };
    app.post('/send/batch', options, async (request, reply) => {
      const credential = domainCredentialOf(request);
      const messages = readBatch(request.body);
      const verdict = await countMessages(limiter, credential, limits, messages?.length);
      const refused = refuseTooFast(reply, verdict);
      if (refused) return refused;
      return replayOr(store, request, reply, async (key) => {
        if (!messages) return refuseNoBatch();
        const { outcome, accepted } = await sendBatch(store, credential, messages, {
          limits,
          offersUnsubscribe,
          key,
          templates,
          traceparent: traceparentOf(request),
        });
        metrics.accepted('http', credential.organizationId, accepted);
        return outcome;
      });
    });
  };
}
