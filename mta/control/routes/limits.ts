import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { normalizeDomain } from '../../../lib/mail/address.ts';
import type { RunningQueue } from '../../queue/running-queue.ts';
import { removeLimit, saveLimit } from '../../queue/stored-limits.ts';
import { recordChange } from '../actions.ts';
import type { ControlContext } from '../app.ts';
import { refuse } from '../replies.ts';
import { actorOf } from '../request.ts';
import { listLimitsSchema, listSlowdownsSchema, removeLimitSchema, setLimitSchema } from '../schemas.ts';

const SITE = /^site:[a-z0-9][a-z0-9.-]{0,252}$/;

export function limitRoutes({ queue }: ControlContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/limits', { schema: listLimitsSchema }, async () =>
      Object.entries(queue().limits.list()).map(([destination, limit]) => ({ destination, ...limit })),
    );

    app.get('/slowdowns', { schema: listSlowdownsSchema }, async () =>
      queue()
        .claims.scheduler.destinations.slowdowns.list()
        .map((slowdown) => ({
          ...slowdown,
          since: new Date(slowdown.since).toISOString(),
          retryAt: slowdown.retryAt > Date.now() ? new Date(slowdown.retryAt).toISOString() : null,
        })),
    );

    app.put('/limits/:destination', { schema: setLimitSchema }, async (request, reply) => {
      const destination = readDestination(request.params.destination);
      if (!destination) return refuse(reply, 'destination_invalid');
      const limit = request.body;
      await recordChange(
        queue().pool,
        actionOf('set_limit', { destination, ...limit }, actorOf(request)),
        async (client) => {
          await saveLimit(client, destination, limit);
          return { value: limit, affected: 0 };
        },
      );
      await apply(queue());
      return { destination, ...limit };
    });

    app.delete('/limits/:destination', { schema: removeLimitSchema }, async (request, reply) => {
      const destination = readDestination(request.params.destination);
      if (!destination) return refuse(reply, 'destination_invalid');
      const removed = await recordChange(
        queue().pool,
        actionOf('remove_limit', { destination }, actorOf(request)),
        async (client) =>
          (await removeLimit(client, destination)) ? { value: true, affected: 0 } : undefined,
      );
      if (!removed) return refuse(reply, 'not_found');
      await apply(queue());
      return reply.code(204).send(null);
    });
  };
}

/** At once here; other instances look every few seconds. */
async function apply({ storedLimits, claims }: RunningQueue): Promise<void> {
  await storedLimits.refresh();
  claims.scheduler.reconsider();
  claims.pumpAllZones();
}

function actionOf(verb: string, parameters: Record<string, unknown>, actor: string) {
  return { verb, selector: {}, parameters, reason: null, actor };
}

function readDestination(text: string): string | undefined {
  const name = text.toLowerCase();
  return SITE.test(name) ? name : normalizeDomain(name);
}
