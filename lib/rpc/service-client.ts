import type { Registry } from 'prom-client';
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../log.ts';
import { createRpcClient, type RpcClient } from './client.ts';

/** How a service of this installation asks the api. @param registry gets the counters of requests, look-ups and errors */
export function createServiceClient(
  { api, redis, secrets }: Pick<Settings, 'api' | 'redis' | 'secrets'>,
  { log, registry }: { log: Logger; registry?: Registry },
): RpcClient {
  return createRpcClient({
    url: api.url,
    serviceToken: secrets.serviceToken,
    redisUrl: redis.url,
    masterKey: secrets.key,
    log,
    ...(registry && { registry }),
  });
}
