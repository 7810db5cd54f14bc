import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { listPauses, type Pause } from '../../queue/pauses.ts';
import type { ControlContext } from '../app.ts';
import { countPause, pause, resume } from '../pausing.ts';
import { refuse } from '../replies.ts';
import { actorOf, requireSelector } from '../request.ts';
import { createPauseSchema, listPausesSchema, removePauseSchema } from '../schemas.ts';

export function pauseRoutes({ queue }: ControlContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/pauses', { schema: listPausesSchema }, async () =>
      (await listPauses(queue().pool)).map(toBody),
    );

    app.post(
      '/pauses',
      { schema: createPauseSchema, preHandler: requireSelector },
      async (request, reply) => {
        const { selector, reason, dryRun } = request.body;
        const endsAt = request.body.endsAt === undefined ? null : new Date(request.body.endsAt);
        if (endsAt && endsAt.getTime() <= Date.now()) return refuse(reply, 'pause_over');
        if (dryRun) return countPause(queue(), selector);
        const paused = await pause(queue(), { selector, reason, endsAt, actor: actorOf(request) });
        return reply.code(201).send({ ...paused, pause: toBody(paused.pause) });
      },
    );

    app.delete('/pauses/:id', { schema: removePauseSchema }, async (request, reply) => {
      const options = { actor: actorOf(request), isDryRun: request.query.dryRun };
      const resumed = await resume(queue(), request.params.id, options);
      return resumed ?? refuse(reply, 'not_found');
    });
  };
}

function toBody({ id, selector, reason, createdBy, createdAt, endsAt }: Pause) {
  return {
    ...{ id, selector, reason, createdBy },
    createdAt: createdAt.toISOString(),
    endsAt: endsAt?.toISOString() ?? null,
  };
}
