/**
 * Look-ups in two levels: this process's memory (seconds) over Redis (the contract's policy) over the api.
 *
 * - Fresh: served. Stale: served, and refreshed behind the caller's back; so an api that is down is not noticed until
 *   the stale limit. "There is none" is served for negativeMs, never longer.
 * - One flight a key: whoever asks while a look-up is under way gets its answer.
 * - Invalidated: gone from memory, and the look-up under way is disowned. Its answer may be from before the change, so
 *   it is not remembered, nobody joins it any more, and those who wait on it get the answer of a new look-up.
 * - Without a live subscription or Redis nobody would tell us: memory then shrinks to a quarter of a second, which
 *   keeps "a revoked token is refused everywhere within one second" true and still spares the api most of the load.
 */
import { LRUCache } from 'lru-cache';
import type { Logger } from '../log.ts';
import { cacheKey } from './cache-key.ts';
import type { Entry } from './cached-value.ts';
import type { CachePolicy, Contract, ParamsOf, ReplyOf } from './contracts/contract.ts';
import type { RpcMetrics } from './metrics.ts';
import { createRedisStore } from './redis-store.ts';
import { subscribeToInvalidations } from './subscription.ts';
import type { RpcResult } from './transport.ts';

const MEMORY_MS = 5_000;
const UNTRUSTED_MEMORY_MS = 250;
const MAX_ENTRIES = 10_000;
/** How often a look-up starts again because its value was invalidated meanwhile. */
const MAX_RESTARTS = 3;

type Answer = RpcResult<unknown>;

/** A look-up under way. Its answer may come before its end: a stale value is handed out, then refreshed. */
interface Flight {
  answer: Promise<Answer>;
  isDisowned: boolean;
}

interface Lookup {
  contract: Contract;
  policy: CachePolicy;
  key: string;
  fetch: () => Promise<Answer>;
  restarts: number;
}

export interface Cache {
  /** `fetch` asks the api. The contract must have a cache policy. Values are frozen: callers share them. */
  find<C extends Contract>(
    contract: C,
    policy: CachePolicy,
    params: ParamsOf<C>,
    fetch: () => Promise<RpcResult<ReplyOf<C>>>,
  ): Promise<RpcResult<ReplyOf<C>>>;
  close(): void;
}

export interface CacheOptions {
  redisUrl: string;
  sealKey: Buffer;
  log: Logger;
  metrics: RpcMetrics;
}

export function createCache({ redisUrl, sealKey, log, metrics }: CacheOptions): Cache {
  const memory = new LRUCache<string, Entry>({ max: MAX_ENTRIES });
  const flights = new Map<string, Flight>();
  const store = createRedisStore({ redisUrl, sealKey, log, metrics, onFailed: () => memory.clear() });
  const subscription = subscribeToInvalidations({
    redisUrl,
    log,
    onInvalidated: forget,
    onLost: () => memory.clear(),
    onSubscribed: forgetAll,
  });

  function find(lookup: Lookup): Promise<Answer> | Answer {
    const { contract, policy, key } = lookup;
    const entry = memory.get(key);
    if (!entry || !isUsable(policy, entry)) return join(lookup).answer;
    const outcome = isFresh(policy, entry) ? 'memory' : 'stale';
    if (outcome === 'stale') join(lookup);
    metrics.lookups.inc({ contract: contract.name, outcome });
    return toResult(entry);
  }

  /** The flight of this key; a new one where there is none. */
  function join(lookup: Lookup): Flight {
    const known = flights.get(lookup.key);
    if (known) return known;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const flight = { answer: promise, isDisowned: false };
    flights.set(lookup.key, flight);
    fly(lookup, flight, resolve)
      .catch((error: unknown) => {
        log.error({ err: error, contract: lookup.contract.name }, 'rpc.lookup_failed');
        resolve({ ok: false, reason: 'unavailable', message: 'the look-up failed' });
      })
      .finally(() => {
        if (flights.get(lookup.key) === flight) flights.delete(lookup.key);
      });
    return flight;
  }

  async function fly(lookup: Lookup, flight: Flight, resolve: (answer: Answer | Promise<Answer>) => void) {
    const { contract, policy, key, fetch } = lookup;
    const { entry, lease } = await store.read(contract, key);
    const isFound = entry !== undefined && isUsable(policy, entry) && !flight.isDisowned;
    if (isFound) {
      remember(key, entry);
      resolve(toResult(entry));
    }
    const outcome = !isFound ? 'miss' : isFresh(policy, entry) ? 'redis' : 'stale';
    metrics.lookups.inc({ contract: contract.name, outcome });
    if (outcome === 'redis') return;

    const fetchedAt = Date.now();
    const answer = await fetch();
    const fetched = toEntry(answer, fetchedAt);
    if (fetched && flight.isDisowned) {
      if (!isFound) resolve(lookAgain(lookup, answer));
      return;
    }
    if (fetched) {
      remember(key, fetched);
      if (lease) void store.write(contract, key, fetched, lease);
    }
    resolve(answer);
  }

  /** What was fetched may be from before the change that disowned the flight. */
  function lookAgain(lookup: Lookup, answer: Answer): Answer | Promise<Answer> {
    if (lookup.restarts >= MAX_RESTARTS) return answer;
    return find({ ...lookup, restarts: lookup.restarts + 1 });
  }

  function remember(key: string, entry: Entry): void {
    const isTrusted = subscription.isLive() && store.isAvailable();
    memory.set(key, entry, { ttl: isTrusted ? MEMORY_MS : UNTRUSTED_MEMORY_MS });
  }

  function forget(key: string): void {
    memory.delete(key);
    const flight = flights.get(key);
    if (flight) flight.isDisowned = true;
    flights.delete(key);
  }

  function forgetAll(): void {
    memory.clear();
    for (const key of [...flights.keys()]) forget(key);
  }

  return {
    async find<C extends Contract>(
      contract: C,
      policy: CachePolicy,
      params: ParamsOf<C>,
      fetch: () => Promise<RpcResult<ReplyOf<C>>>,
    ) {
      const key = cacheKey(contract, params);
      const answer = await find({ contract, policy, key, fetch, restarts: 0 });
      return answer as RpcResult<ReplyOf<C>>; // a reply that its schema has passed
    },
    close() {
      subscription.close();
      store.close();
    },
  };
}

/** Clocks of two machines differ: a value from the near future is as old as one from the near past. */
function ageOf(entry: Entry): number {
  return Math.abs(Date.now() - entry.fetchedAt);
}

function isFresh(policy: CachePolicy, entry: Entry): boolean {
  return ageOf(entry) < (entry.value === undefined ? policy.negativeMs : policy.freshMs);
}

function isUsable(policy: CachePolicy, entry: Entry): boolean {
  return ageOf(entry) < (entry.value === undefined ? policy.negativeMs : policy.staleMs);
}

/** Refusals and failures are not remembered. */
function toEntry(answer: Answer, fetchedAt: number): Entry | undefined {
  if (answer.ok) return { fetchedAt, value: deepFreeze(answer.value) };
  return answer.reason === 'not_found' ? { fetchedAt } : undefined;
}

function toResult(entry: Entry): Answer {
  if (entry.value === undefined) return { ok: false, reason: 'not_found' };
  return { ok: true, value: deepFreeze(entry.value) };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
