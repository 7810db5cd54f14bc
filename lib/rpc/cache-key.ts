/** The names that all processes share in Redis. */
import { hash } from 'node:crypto';
import type { Contract, ParamsOf } from './contracts/contract.ts';

/**
 * Raised when the form of cached values changes, so that during a deployment old and new processes do not read each
 * other's. An invalidation reaches only its own version: for that long the old processes rely on `freshMs`.
 */
const VERSION = 1;

/** Where the api publishes the key of each value that is no longer true. */
export const invalidationChannel = `postern:rpc:${VERSION}:invalidated`;

/** Hashed, so that nothing in the params (length, CR LF, a secret) can shape a key (RP-2). */
export function cacheKey<C extends Contract>(contract: C, params: ParamsOf<C>): string {
  const digest = hash('sha256', canonicalJson(params));
  return `postern:rpc:${VERSION}:${contract.name}:${digest}`;
}

/** JSON with the members of each object in one order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
