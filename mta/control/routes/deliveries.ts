import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { readOldestDue } from '../../queue/oldest-due.ts';
import { createTarget } from '../../queue/selector.ts';
import type { ControlContext } from '../app.ts';
import { findDelivery, type Key, listDeliveries } from '../deliveries.ts';
import { refuse } from '../replies.ts';
import { diagnosisSchema, listDeliveriesSchema, showDeliverySchema, summarySchema } from '../schemas.ts';
import { readDiagnosis, readSummary } from '../summary.ts';

export function deliveryRoutes({ queue }: ControlContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/deliveries', { schema: listDeliveriesSchema }, async (request) => {
      const { limit, after, ...selector } = request.query;
      const { pool, sites } = queue();
      await sites.write();
      return listDeliveries(pool, createTarget(selector, new Date()), { limit, after: readKey(after) });
    });

    app.get('/deliveries/:queueId/:sequence', { schema: showDeliverySchema }, async (request, reply) => {
      const delivery = await findDelivery(queue().pool, request.params);
      return delivery ?? refuse(reply, 'not_found');
    });

    app.get('/summary', { schema: summarySchema }, async () => {
      const { pool, sites } = queue();
      await sites.write();
      return readSummary(pool);
    });

    app.get('/diagnosis', { schema: diagnosisSchema }, async () => {
      const { pool, claims } = queue();
      const { destinations } = claims.scheduler;
      const oldestDue = await readOldestDue(pool, {
        siteOf: (domain) => destinations.siteOf(domain),
        // What waits for a remote that is not well is no fault of ours.
        isExcused: ({ zone, domain }) => destinations.isSlowed(zone, domain),
      });
      return readDiagnosis(pool, oldestDue);
    });
  };
}

/** The schema has seen to its form. */
function readKey(text: string | undefined): Key | undefined {
  const [queueId, sequence] = text?.split('.') ?? [];
  return queueId && sequence ? { queueId, sequence } : undefined;
}
