/**
 * DNS for the checks of a message, with the last answers in memory: mail of one sender comes in crowds. A failure is
 * not remembered.
 */
import { Resolver } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';

/** As mailauth calls it: TXT records as lists of strings, other records as node:dns gives them. */
export type Resolve = (name: string, type: string) => Promise<never>;

const TIMEOUT_MS = 2_000;
const TRIES = 2;
const MAX_ANSWERS = 5_000;
/** A key that is revoked is trusted no longer than this. */
const FRESH_MS = 30_000;

export function createResolver(nameservers: readonly string[]): {
  resolve: Resolve;
  reverse: Resolver['reverse'];
} {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (nameservers.length > 0) resolver.setServers([...nameservers]);
  const answers = new LRUCache<string, Promise<never>>({ max: MAX_ANSWERS, ttl: FRESH_MS });
  return {
    resolve(name, type) {
      const key = `${type} ${name.toLowerCase()}`;
      const known = answers.get(key);
      if (known) return known;
      const asked = resolver.resolve(name, type) as Promise<never>;
      answers.set(key, asked);
      asked.catch(() => answers.delete(key));
      return asked;
    },
    reverse: (address) => resolver.reverse(address),
  };
}
