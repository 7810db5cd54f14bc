/** The counters of the RPC client. */
import { Counter, type Registry } from 'prom-client';

/** Counted in each process of the mta, and added up in its master (mta/queue/rpc-counts.ts) */
export const LOOKUPS_METRIC = 'postern_rpc_lookups_total';

export interface RpcMetrics {
  /** Calls over HTTP. outcome: ok, not_found, refused, unavailable */
  requests: Counter<'contract' | 'outcome'>;
  /** Look-ups of cached contracts, those that join another's counted with it. outcome: memory, redis, stale, miss */
  lookups: Counter<'contract' | 'outcome'>;
  /** kind: invalid_reply (schema), bad_value (in Redis), redis (down, slow) */
  errors: Counter<'kind'>;
}

export function createRpcMetrics(registry: Registry | undefined): RpcMetrics {
  const registers = registry ? [registry] : [];
  return {
    requests: new Counter({
      name: 'postern_rpc_requests_total',
      help: 'RPC calls that went to the api, by outcome',
      labelNames: ['contract', 'outcome'],
      registers,
    }),
    lookups: new Counter({
      name: LOOKUPS_METRIC,
      help: 'Cached RPC look-ups, by what answered them',
      labelNames: ['contract', 'outcome'],
      registers,
    }),
    errors: new Counter({
      name: 'postern_rpc_errors_total',
      help: 'Replies and cached values that were not believed, and Redis out of reach',
      labelNames: ['kind'],
      registers,
    }),
  };
}
