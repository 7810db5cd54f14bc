import { Resolver } from 'node:dns/promises';

const TRIES = 2;

/** @param nameservers `host` or `host:port`; empty: those of the system. @param timeoutMs of each of two tries */
export function createDnsResolver(nameservers: readonly string[], timeoutMs = 2_000): Resolver {
  const resolver = new Resolver({ timeout: timeoutMs, tries: TRIES });
  if (nameservers.length > 0) resolver.setServers(nameservers);
  return resolver;
}
