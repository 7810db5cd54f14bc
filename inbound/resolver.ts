/**
 * DNS for the checks of a message and the names of clients, with the last answers in memory: mail of one sender comes in
 * crowds. "There is none" is an answer, remembered for a shorter time; a failure is not remembered, but of a client's name,
 * which counts as none then.
 */
import type { Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Settings } from '../config/schema.ts';
import { createDnsResolver } from '../lib/dns-resolver.ts';

/** As mailauth calls it: TXT records as lists of strings, other records as node:dns gives them. */
export type Resolve = (name: string, type: string) => Promise<never>;

/** A greeting waits for it. */
const NAME_TIMEOUT_MS = 3_000;
const MAX_NAMES = 3;
const MAX_NAME_LENGTH = 253;
const MAX_ANSWERS = 5_000;
/** A key that is revoked is trusted no longer than this. */
const FRESH_MS = 30_000;
/** A record that is missing may be about to be published. */
const ABSENT_FRESH_MS = 10_000;
const ABSENT_CODES = new Set(['ENOTFOUND', 'ENODATA']);

/** Outside production the sandbox answers, as it does for the mta. Empty: those of the system. */
export function inboundNameservers({ environment, inbound, sandbox }: Settings): readonly string[] {
  if (inbound.nameservers.length > 0 || environment === 'production') return inbound.nameservers;
  return [`${sandbox.host}:${sandbox.dnsPort}`];
}

export interface InboundResolver {
  resolve: Resolve;
  /** The name of an address that leads back to it; undefined where there is none, or none within three seconds. */
  findClientName(address: string): Promise<string | undefined>;
}

export function createResolver(nameservers: readonly string[]): InboundResolver {
  const resolver = createDnsResolver(nameservers);
  const answers = new LRUCache<string, Promise<never>>({ max: MAX_ANSWERS, ttl: FRESH_MS });
  /** By address; empty: it has none */
  const names = new LRUCache<string, string>({ max: MAX_ANSWERS, ttl: FRESH_MS });
  return {
    resolve(name, type) {
      const key = `${type} ${name.toLowerCase()}`;
      const known = answers.get(key);
      if (known) return known;
      const asked = resolver.resolve(name, type) as Promise<never>;
      answers.set(key, asked);
      asked.catch(({ code }: { code?: string }) => {
        if (answers.get(key) !== asked) return;
        if (ABSENT_CODES.has(code ?? '')) answers.set(key, asked, { ttl: ABSENT_FRESH_MS });
        else answers.delete(key);
      });
      return asked;
    },
    async findClientName(address) {
      const known = names.get(address);
      if (known !== undefined) return known || undefined;
      const found = confirmName(resolver, address).catch(() => undefined); // it has none
      const late = new AbortController();
      const deadline = sleep(NAME_TIMEOUT_MS, undefined, { signal: late.signal, ref: false }).catch(
        () => undefined,
      );
      const name = await Promise.race([found, deadline]);
      late.abort();
      names.set(address, name ?? '', { ttl: name === undefined ? ABSENT_FRESH_MS : FRESH_MS });
      return name;
    },
  };
}

/** RFC 8601 2.7.3: anybody can give an address any name; the name must give the address. */
async function confirmName(resolver: Resolver, address: string): Promise<string | undefined> {
  const names = await resolver.reverse(address);
  for (const name of names.slice(0, MAX_NAMES)) {
    const look = isIPv6(address) ? resolver.resolve6(name) : resolver.resolve4(name);
    const addresses: string[] = await look.catch(() => []);
    if (addresses.includes(address)) return name.slice(0, MAX_NAME_LENGTH);
  }
  return undefined;
}
