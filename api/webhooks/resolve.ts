/**
 * Names to addresses that a webhook may connect to. It asks the DNS by c-ares, without getaddrinfo: that one blocks a
 * thread of four, so that a few endpoints with slow name servers would hold up all others.
 */
import type { LookupAddress } from 'node:dns';
import type { Resolver } from 'node:dns/promises';
import { createDnsResolver } from '../../lib/dns-resolver.ts';
import type { AddressPolicy } from './address-policy.ts';
import { isLocalhost } from './endpoint-url.ts';

export type ResolveResult =
  /** At least one; IPv4 first. */
  | { ok: true; addresses: LookupAddress[] }
  /** No answer or no address, as opposed to none that is allowed. */
  | { ok: false; reason: 'dns_failed' | 'private_address' };

export type Resolve = (host: string) => Promise<ResolveResult>;

/** @param nameservers host or host:port; empty: those of the system */
export function createResolver(nameservers: readonly string[], policy: AddressPolicy): Resolve {
  const resolver = createDnsResolver(nameservers);
  return async (host) => {
    const found = isLocalhost(host)
      ? [{ address: '127.0.0.1', family: 4 }]
      : (await Promise.all([ask(resolver, host, 4), ask(resolver, host, 6)])).flat();
    if (found.length === 0) return { ok: false, reason: 'dns_failed' };
    const addresses = found.filter(({ address }) => policy.allows(address));
    return addresses.length > 0 ? { ok: true, addresses } : { ok: false, reason: 'private_address' };
  };
}

/** Most hosts have one family only, so a refusal of one of the two says nothing. */
async function ask(resolver: Resolver, host: string, family: 4 | 6): Promise<LookupAddress[]> {
  try {
    const addresses = await (family === 4 ? resolver.resolve4(host) : resolver.resolve6(host));
    return addresses.map((address) => ({ address, family }));
  } catch {
    return []; // no such record, or no answer: the caller counts what there is
  }
}
