import type { FastifyPluginAsync } from 'fastify';
import type { Context } from '../app.ts';
import { readBatch, refuseNoBatch, sendBatch } from '../mail/send-batch.ts';
import { readOptionsOf } from '../mail/send-request.ts';
import { countMessages } from '../mail/sending-rate.ts';
import { domainCredentialOf } from '../plugins/authentication.ts';
import { replayOr } from '../plugins/idempotency.ts';
import { refuseTooFast } from '../plugins/rate-limits.ts';
import { admitSenders } from '../plugins/sending.ts';
import { traceparentOf } from '../plugins/tracing.ts';
import { sendBatchSchema } from '../schemas/send-batch.ts';

export function batchRoutes(context: Context): FastifyPluginAsync {
  const { store, settings, metrics, limiter, templates } = context;
  const { limits } = settings;
  const options = { ...readOptionsOf(settings), templates };

  return async (app) => {
    admitSenders(app, context);

    // The body's schema is documentation, as that of /send.
    const route = { schema: sendBatchSchema, validatorCompiler: () => () => true };
    app.post('/send/batch', route, async (request, reply) => {
      const credential = domainCredentialOf(request);
      const messages = readBatch(request.body);
      const verdict = await countMessages(limiter, credential, limits, messages?.length);
      const refused = refuseTooFast(reply, verdict);
      if (refused) return refused;
      return replayOr(store, request, reply, async (key) => {
        if (!messages) return refuseNoBatch();
        const { outcome, accepted } = await sendBatch(store, credential, messages, {
          ...options,
          key,
          traceparent: traceparentOf(request),
        });
        metrics.accepted('http', credential.organizationId, accepted);
        return outcome;
      });
    });
  };
}
