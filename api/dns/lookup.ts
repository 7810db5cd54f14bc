/** Questions to the DNS, asked as every receiver of our customers' mail will ask them. No answer is a value too. */
import type { Resolver } from 'node:dns/promises';
import { createDnsResolver } from '../../lib/dns-resolver.ts';

/** NXDOMAIN, and a name without a record of the type: there is nothing to find. */
const NO_RECORD = new Set(['ENOTFOUND', 'ENODATA']);
const NO_ANSWER = new Set(['ETIMEOUT', 'ECANCELLED']);

export type LookupResult =
  /** TXT: each record in one piece. MX: `10 mx.example.com`, by preference. Names without the root dot. */
  | { ok: true; values: string[] }
  /** `missing`: the DNS says there is none. `timeout`: it did not answer. `failed`: it answered with an error. */
  | { ok: false; reason: 'missing' | 'timeout' | 'failed' };

export type Lookup = (name: string, type: 'TXT' | 'CNAME' | 'MX') => Promise<LookupResult>;

/** @param nameservers `host` or `host:port`; empty: those of the system */
export function createLookup(nameservers: readonly string[]): Lookup {
  const resolver = createDnsResolver(nameservers);
  return async (name, type) => {
    try {
      const values = await ask(resolver, name, type);
      return values.length > 0 ? { ok: true, values } : { ok: false, reason: 'missing' };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (NO_RECORD.has(code)) return { ok: false, reason: 'missing' };
      return { ok: false, reason: NO_ANSWER.has(code) ? 'timeout' : 'failed' };
    }
  };
}

async function ask(resolver: Resolver, name: string, type: 'TXT' | 'CNAME' | 'MX'): Promise<string[]> {
  switch (type) {
    case 'TXT':
      return (await resolver.resolveTxt(name)).map((strings) => strings.join(''));
    case 'CNAME':
      return (await resolver.resolveCname(name)).map(toName);
    case 'MX':
      return (await resolver.resolveMx(name))
        .toSorted((a, b) => a.priority - b.priority)
        .map(({ priority, exchange }) => `${priority} ${toName(exchange)}`);
  }
}

function toName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
