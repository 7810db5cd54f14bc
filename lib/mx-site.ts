/** The site behind a recipient's domain, before anything is sent there: by its MX records, remembered for a while. */
import { LRUCache } from 'lru-cache';
import { createDnsResolver } from './dns-resolver.ts';
import { siteOf } from './sites.ts';

const MAX_DOMAINS = 50_000;
const KNOWN_MS = 600_000;
const UNKNOWN_MS = 30_000;

export type FindSite = (domain: string) => Promise<string>;

/** @param nameservers `host` or `host:port`; empty: those of the system. A domain without an answer is its own site. */
export function createSiteFinder(nameservers: readonly string[]): FindSite {
  const resolver = createDnsResolver(nameservers);
  const sites = new LRUCache<string, Promise<string>>({ max: MAX_DOMAINS, ttl: KNOWN_MS });

  async function ask(domain: string): Promise<string> {
    try {
      const records = (await resolver.resolveMx(domain)).toSorted((a, b) => a.priority - b.priority);
      return siteOf(records.map(({ exchange }) => exchange || domain)); // a null MX has no name (RFC 7505)
    } catch {
      // The delivery meets the same error, and says so. A second look comes sooner.
      sites.set(domain, Promise.resolve(siteOf([domain])), { ttl: UNKNOWN_MS });
      return siteOf([domain]);
    }
  }

  return (domain) => {
    const known = sites.get(domain);
    if (known) return known;
    const site = ask(domain);
    sites.set(domain, site);
    return site;
  };
}
