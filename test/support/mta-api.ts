/** The api as far as the mta needs it: keys to sign with, and somebody to tell what became of the mail. */
import { generateKeyPairSync } from 'node:crypto';
import Fastify from 'fastify';
import { createDeliveryEvents, type DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { findDkimKeys } from '../../lib/rpc/contracts/dkim-keys.ts';
import { findSendingPools, type SendingPools } from '../../lib/rpc/contracts/sending-pools.ts';
import { findSuppression } from '../../lib/rpc/contracts/suppressions.ts';
import { registerContract, requireServiceToken, rpcServerOptions } from '../../lib/rpc/server.ts';
import { portOf } from '../../sandbox/port.ts';

export interface MtaApi {
  port: number;
  /** None, unless a test says otherwise. */
  pools: SendingPools;
  /** In the order they came, each once. */
  readonly events: DeliveryEvent[];
  eventsOf(messageId: number): DeliveryEvent[];
  close(): Promise<void>;
}

export async function startMtaApi(serviceToken: string): Promise<MtaApi> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const events = new Map<string, DeliveryEvent>();
  const fastify = Fastify({ ...rpcServerOptions, logger: false, forceCloseConnections: true });
  fastify.addHook('onRequest', requireServiceToken(serviceToken));
  const key = { selector: 'test', algorithm: 'rsa-sha256', privateKey } as const;
  registerContract(fastify, findDkimKeys, async ({ params }) => ({ domain: params.name, keys: [key] }));
  registerContract(fastify, findSuppression, async () => ({ isAllowed: false, blocks: [] }));
  registerContract(fastify, findSendingPools, async () => api.pools);
  registerContract(fastify, createDeliveryEvents, async ({ body }) => {
    const fresh = body.events.filter((event) => !events.has(event.id));
    for (const event of fresh) events.set(event.id, event);
    return { accepted: fresh.length, duplicates: body.events.length - fresh.length };
  });
  await fastify.listen({ host: '127.0.0.1', port: 0 });
  const api = {
    port: portOf(fastify.server),
    pools: { pools: [], assignments: [] } as SendingPools,
    get events() {
      return [...events.values()];
    },
    eventsOf: (messageId: number) => [...events.values()].filter((event) => event.messageId === messageId),
    close: () => fastify.close(),
  };
  return api;
}
