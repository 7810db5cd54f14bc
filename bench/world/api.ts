/** The api as far as the mta needs it: keys to sign with, and somebody to tell what became of the mail. */
import Fastify from 'fastify';
import { createDeliveryEvents, type DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { findDkimKeys } from '../../lib/rpc/contracts/dkim-keys.ts';
import { findSendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import { findSuppression } from '../../lib/rpc/contracts/suppressions.ts';
import { registerContract, requireServiceToken, rpcServerOptions } from '../../lib/rpc/server.ts';

export const SELECTOR = 'bench';

export interface Api {
  /** Events that were taken in, by type. */
  events: Record<DeliveryEvent['type'], number>;
  /** The messages of the api that were reported as delivered. */
  delivered: Set<number>;
  close(): Promise<void>;
}

export async function startApi(options: {
  port: number;
  serviceToken: string;
  privateKey: string;
}): Promise<Api> {
  const fastify = Fastify({ ...rpcServerOptions, logger: false });
  const events = {
    delivered: 0,
    deferred: 0,
    bounced: 0,
    expired: 0,
    suppressed: 0,
    held: 0,
    cancelled: 0,
  };
  const delivered = new Set<number>();
  fastify.addHook('onRequest', requireServiceToken(options.serviceToken));
  const key = { selector: SELECTOR, algorithm: 'rsa-sha256', privateKey: options.privateKey } as const;
  registerContract(fastify, findDkimKeys, async ({ params }) => ({ domain: params.name, keys: [key] }));
  registerContract(fastify, findSuppression, async () => ({ isAllowed: false, blocks: [] }));
  registerContract(fastify, findSendingPools, async () => ({ pools: [], assignments: [] }));
  registerContract(fastify, createDeliveryEvents, async ({ body }) => {
    for (const { type, messageId } of body.events) {
      events[type]++;
      if (type === 'delivered') delivered.add(messageId);
    }
    return { accepted: body.events.length, duplicates: 0 };
  });
  await fastify.listen({ host: '127.0.0.1', port: options.port });
  return { events, delivered, close: () => fastify.close() };
}
