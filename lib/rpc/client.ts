/**
 * The client side of RPC: how the services ask the api.
 *
 * A call is checked against its contract before it leaves and when the answer comes back. Contracts with a cache
 * policy are answered from memory, Redis or the api, in this order (cache.ts); the others go straight to the api.
 */
import type { Registry } from 'prom-client';
import type { Logger } from '../log.ts';
import { deriveKey } from '../secrets.ts';
import { createCache } from './cache.ts';
import type { BodyOf, Contract, ParamsOf, ReplyOf } from './contracts/contract.ts';
import { createRpcMetrics } from './metrics.ts';
import { isSaneRequestId, makeRequestId } from './request-id.ts';
import { createTransport, type RpcResult } from './transport.ts';
import { checksOf } from './validation.ts';

export type { RpcResult } from './transport.ts';

export type RpcInput<C extends Contract> = {
  params: ParamsOf<C>;
  /** Goes with the call and into the api's log; made here where it is missing or no sane id. */
  requestId?: string | undefined;
  /** W3C's: the trace that the call belongs to */
  traceparent?: string | undefined;
} & (undefined extends BodyOf<C> ? { body?: undefined } : { body: BodyOf<C> });

export interface RpcClient {
  /** Never throws for what the network, Redis or the api does. Values of cached contracts are frozen. */
  call<C extends Contract>(contract: C, input: RpcInput<C>): Promise<RpcResult<ReplyOf<C>>>;
  close(): Promise<void>;
}

export interface RpcClientOptions {
  /** Where the api is: `api.url` of the settings */
  url: string;
  serviceToken: string;
  redisUrl: string;
  /** `secrets.key`: what private keys in Redis are encrypted with is derived from it. */
  masterKey: string;
  log: Logger;
  /** Gets the counters of requests, look-ups and errors. */
  registry?: Registry;
}

export function createRpcClient(options: RpcClientOptions): RpcClient {
  const { url, serviceToken, redisUrl, masterKey, log, registry } = options;
  const metrics = createRpcMetrics(registry);
  const transport = createTransport({ url, serviceToken, log, metrics });
  const cache = createCache({ redisUrl, sealKey: deriveKey(masterKey, 'rpc-cache'), log, metrics });

  return {
    async call(contract, { params, body, requestId, traceparent }) {
      const fault = findFault(contract, params, body);
      if (fault) return { ok: false, reason: 'refused', code: 'invalid_request', ...fault };
      const id = isSaneRequestId(requestId) ? requestId : makeRequestId();
      const send = () =>
        transport.send(contract, {
          params: params as Record<string, unknown>,
          body,
          requestId: id,
          traceparent,
        });
      return contract.cache ? cache.find(contract, contract.cache, params, send) : send();
    },
    async close() {
      cache.close();
      transport.close();
    },
  };
}

/** What the api would refuse with 400, and path segments that a URL cannot carry. */
function findFault(contract: Contract, params: unknown, body: unknown) {
  const checks = checksOf(contract);
  const fault = checks.params(params) ?? checks.body(body);
  if (fault) return fault;
  for (const [field, value] of Object.entries(params as Record<string, unknown>)) {
    // RFC 3986 5.2.4: these are taken out of a path, escaped or not, and another route would answer.
    if (value === '' || value === '.' || value === '..') return { field, message: 'is not valid' };
  }
  return undefined;
}
