import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { listActions } from '../actions.ts';
import { adopt } from '../adoption.ts';
import type { ControlContext } from '../app.ts';
import { operate } from '../operate.ts';
import { refuse } from '../replies.ts';
import { actorOf, requireSelector } from '../request.ts';
import { adoptSchema, endSchema, flushSchema, listActionsSchema, moveSchema } from '../schemas.ts';
import { endSlowdowns } from '../slowdowns.ts';
import { end, flush, move } from '../verbs.ts';

export function actionRoutes({ queue, listZones }: ControlContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/actions', { schema: listActionsSchema }, async ({ query }) =>
      listActions(queue().pool, { limit: query.limit, before: query.before }),
    );

    app.post('/flushes', { schema: flushSchema, preHandler: requireSelector }, async (request) => {
      const { selector, dryRun, reason = null } = request.body;
      const action = { verb: 'flush', selector, parameters: {}, reason, actor: actorOf(request), dryRun };
      const outcome = await operate(queue(), flush(new Date()), action);
      if (!dryRun) endSlowdowns(queue(), selector);
      return outcome;
    });

    for (const [path, verb, type] of [
      ['/bounces', 'bounce', 'bounced'],
      ['/cancellations', 'cancel', 'cancelled'],
    ] as const) {
      app.post(path, { schema: endSchema, preHandler: requireSelector }, async (request) => {
        const action = { verb, parameters: {}, actor: actorOf(request), ...request.body };
        const { instanceId, outbox } = queue();
        const outcome = await operate(queue(), end(type, request.body.reason, instanceId), action);
        outbox.announce();
        return outcome;
      });
    }

    app.post('/moves', { schema: moveSchema, preHandler: requireSelector }, async (request, reply) => {
      const { zone, selector, dryRun, reason = null } = request.body;
      if (!listZones().includes(zone)) return refuse(reply, 'zone_unknown');
      const action = {
        verb: 'move',
        selector,
        parameters: { zone },
        reason,
        actor: actorOf(request),
        dryRun,
      };
      return operate(queue(), move(zone), action);
    });

    app.post('/adoptions', { schema: adoptSchema }, async (request, reply) => {
      const { instanceId, dryRun, reason = null } = request.body;
      const action = {
        verb: 'adopt',
        selector: {},
        parameters: { instanceId },
        reason,
        actor: actorOf(request),
      };
      const adoption = await adopt(queue(), instanceId, action, { isDryRun: dryRun });
      if (!adoption.ok) return refuse(reply, adoption.reason);
      const { actionId, affected } = adoption;
      return { actionId, dryRun, affected, inAttempt: 0 };
    });
  };
}
