import type { FastifyPluginAsync } from 'fastify';
import type { Context } from '../app.ts';
import { sendMessage } from '../mail/send.ts';
import { createSendGroup } from '../mail/send-group.ts';
import { readOptionsOf } from '../mail/send-request.ts';
import { domainCredentialOf } from '../plugins/authentication.ts';
import { replayOr } from '../plugins/idempotency.ts';
import { limitSending } from '../plugins/rate-limits.ts';
import { admitSenders } from '../plugins/sending.ts';
import { traceparentOf } from '../plugins/tracing.ts';
import { sendSchema } from '../schemas/send.ts';

export function sendRoutes(context: Context): FastifyPluginAsync {
  const { store, settings, metrics, limiter, templates } = context;
  const options = { ...readOptionsOf(settings), templates };
  const group = createSendGroup(store);

  return async (app) => {
    admitSenders(app, context);
    app.addHook('onRequest', limitSending(limiter, settings.limits));

    // The body's schema is documentation: the contract has an order of checks and words of its own.
    app.post('/send', { schema: sendSchema, validatorCompiler: () => () => true }, (request, reply) =>
      replayOr(store, request, reply, async (key) => {
        const outcome = await sendMessage(store, domainCredentialOf(request), request.body, {
          ...options,
          key,
          group,
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
