import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { cancelMessage } from '../mail/cancellation.ts';
import { createMtaControl } from '../mail/mta-control.ts';
import { findMessage } from '../models/message.ts';
import { answerUnavailable } from '../plugins/admission.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateReader, readerOf } from '../plugins/reader.ts';
import { createCancellationSchema } from '../schemas/cancellations.ts';
import { readId } from './id.ts';

const TOO_LATE = 'Nothing of this message can be cancelled any more';

export function cancellationRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const mta = createMtaControl(settings);

  return async (app) => {
    app.addHook('onRequest', authenticateReader(store.pool));

    app.post('/messages/:id/cancellation', { schema: createCancellationSchema }, async (request, reply) => {
      const message = await findMessage(store.pool, readId(request.params.id), readerOf(request));
      if (!message) return reply.code(404).send(NOT_FOUND);
      const result = await cancelMessage(store, mta, message.id);
      if (result.state === 'unavailable') return answerUnavailable(reply);
      const answer = { id: message.id, recipients: result.recipients };
      return result.state === 'done' ? answer : reply.code(409).send({ error: TOO_LATE, ...answer });
    });
  };
}
