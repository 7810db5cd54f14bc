import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { AddressBlock } from '../../lib/pools/block.ts';
import { createBlockStore } from '../../lib/pools/block-store.ts';
import type { Context } from '../app.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { type BlockBody, liftBlockSchema, listBlocksSchema } from '../schemas/address-blocks.ts';

const OUT_OF_REACH = { error: 'The blocks cannot be read now, try again later' };

/** Which address is left alone at which site, and for how long. They lie in Redis: 503 while it is out of reach. */
export function addressBlockRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    const { redis, pools: terms } = settings;
    const blocks = createBlockStore({ redisUrl: redis.url, terms, log: app.log });
    app.addHook('onClose', async () => blocks.close());
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/address_blocks', { schema: listBlocksSchema }, async (_request, reply) => {
      const found = await blocks.listBlocks().catch(() => undefined); // the store has logged why
      return found ? found.map(toBlock) : reply.code(503).send(OUT_OF_REACH);
    });

    app.delete('/address_blocks', { schema: liftBlockSchema }, async (request, reply) => {
      const { address, site } = request.query;
      const isLifted = await change(
        store,
        request,
        () => blocks.liftBlock(address, site).catch(() => undefined),
        (lifted) =>
          lifted
            ? {
                organizationId: null,
                action: 'address_block.lifted',
                subject: address,
                subjectId: null,
                details: { site },
              }
            : undefined,
      );
      if (isLifted === undefined) return reply.code(503).send(OUT_OF_REACH);
      return isLifted ? { address, site } : reply.code(404).send(NOT_FOUND);
    });
  };
}

function toBlock({ startedAt, endsAt, ...block }: AddressBlock): BlockBody {
  return {
    ...block,
    started_at: new Date(startedAt).toISOString(),
    ends_at: new Date(endsAt).toISOString(),
  };
}
