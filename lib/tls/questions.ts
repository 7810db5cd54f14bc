/** What is asked of others about a recipient's domain before mail goes there: the DNS, policy hosts, and the memory. */
import type { Resolver } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import { nameserversOf, validatingNameserverOf } from '../../config/nameservers.ts';
import type { Settings } from '../../config/schema.ts';
import { createDnsResolver } from '../dns-resolver.ts';
import type { Logger } from '../log.ts';
import { findTlsa, type TlsaFinding } from './dane.ts';
import { openTlsMemory, type TlsMemory } from './memory.ts';
import { readReportAddresses } from './results.ts';
import { fetchStsPolicy } from './sts-fetch.ts';
import { createStsFinder, type StsFinding } from './sts-finder.ts';
import { createValidatedLookup } from './validated-lookup.ts';

const NO_RECORD = new Set(['ENOTFOUND', 'ENODATA']);
const MAX_DOMAINS = 10_000;
const TLSA_MS = 60_000;
const ASK_MS = 3_600_000;

export interface TlsQuestions {
  findSts: (domain: string) => Promise<StsFinding>;
  /** Empty: there are none, or no answer. */
  resolveMx: (domain: string) => Promise<{ exchange: string; priority: number }[]>;
  memory: TlsMemory;
  /** Undefined: no resolver that validates is named. */
  findTlsa?: ((domain: string, mx: string) => Promise<TlsaFinding>) | undefined;
  /** Whether a domain asks for reports (RFC 8460); undefined: none are made. */
  wantsReports?: ((domain: string) => Promise<boolean>) | undefined;
}

export function openTlsQuestions(settings: Settings, log: Logger): TlsQuestions {
  const { tlsPolicy, tlsReports, mta, sandbox, environment, redis } = settings;
  const isProduction = environment === 'production';
  const resolver = createDnsResolver(nameserversOf(settings));
  const memory = openTlsMemory(redis.url, (error) => log.debug({ err: error }, 'tls.memory_failed'));
  const fetchOptions = {
    port: isProduction ? tlsPolicy.policyPort : sandbox.httpsPort,
    allowsPrivate: !isProduction,
    resolve: (host: string) => resolver.resolve4(host).catch(() => []),
  };
  const findSts = createStsFinder({
    lookUp: (name) => lookUpText(resolver, name),
    fetch: (domain) => fetchStsPolicy(domain, fetchOptions),
    memory,
  });
  return {
    findSts,
    resolveMx: (domain) => resolver.resolveMx(domain).catch(() => []),
    memory,
    findTlsa: createTlsaFinder(validatingNameserverOf(settings), mta.remotePort),
    ...(tlsReports.from && { wantsReports: createAsker(resolver) }),
  };
}

function createTlsaFinder(server: string, port: number): TlsQuestions['findTlsa'] {
  if (!server) return undefined;
  const lookUp = createValidatedLookup(server);
  const known = new LRUCache<string, Promise<TlsaFinding>>({ max: MAX_DOMAINS, ttl: TLSA_MS });
  return (domain, mx) => {
    const key = `${domain} ${mx}`;
    const finding = known.get(key) ?? findTlsa({ domain, mx, port }, lookUp);
    known.set(key, finding, { noUpdateTTL: true });
    return finding;
  };
}

function createAsker(resolver: Resolver): (domain: string) => Promise<boolean> {
  const known = new LRUCache<string, boolean>({ max: MAX_DOMAINS, ttl: ASK_MS });
  return async (domain) => {
    const held = known.get(domain);
    if (held !== undefined) return held;
    const records = (await lookUpText(resolver, `_smtp._tls.${domain}`)) ?? [];
    const isWanted = readReportAddresses(records).length > 0;
    known.set(domain, isWanted);
    return isWanted;
  };
}

async function lookUpText(resolver: Resolver, name: string): Promise<string[] | undefined> {
  try {
    return (await resolver.resolveTxt(name)).map((strings) => strings.join(''));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return NO_RECORD.has(code) ? [] : undefined;
  }
}
