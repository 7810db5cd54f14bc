import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { listPaceChanges } from '../../queue/pace-changes.ts';
import type { ControlContext } from '../app.ts';
import { listPaceChangesSchema, listPacesSchema } from '../schemas.ts';

export function pacingRoutes({ queue }: ControlContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/paces', { schema: listPacesSchema }, async () => queue().pacing?.list() ?? []);

    app.get(
      '/pace_changes',
      { schema: listPaceChangesSchema },
      async ({ query: { site, address, limit, before } }) =>
        listPaceChanges(queue().pool, { site, address, limit, before }),
    );
  };
}
