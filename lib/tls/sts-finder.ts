/**
 * The MTA-STS policy that holds for a domain now (RFC 8461 5.1): of the record's id where it can be had, else the one
 * that is remembered and not over its max_age. A policy that cannot be fetched is not asked for again for five minutes.
 */
import { LRUCache } from 'lru-cache';
import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { TlsMemory } from './memory.ts';
import type { StsFetchFailure, StsFetchResult } from './sts-fetch.ts';
import { readStsId, type StsPolicy } from './sts-policy.ts';

const REFRESH_MS = 60_000;
const RETRY_MS = 300_000;
const MAX_DOMAINS = 10_000;

const knownSchema = Type.Object({
  id: Type.String(),
  /** Milliseconds since the epoch */
  expiresAt: Type.Number(),
  policy: Type.Object({
    mode: Type.Enum(['enforce', 'testing', 'none']),
    maxAgeSeconds: Type.Number(),
    mx: Type.Array(Type.String()),
  }),
});
type Known = Static<typeof knownSchema>;

/** `failure`: the domain has a record, and its policy could not be fetched. */
export type StsFinding = { policy?: StsPolicy; failure?: StsFetchFailure };

export interface StsFinderOptions {
  /** The TXT records of a name; undefined: the DNS did not answer. */
  lookUp: (name: string) => Promise<string[] | undefined>;
  fetch: (domain: string) => Promise<StsFetchResult>;
  memory: TlsMemory;
  now?: () => number;
}

export function createStsFinder({ lookUp, fetch, memory, now = Date.now }: StsFinderOptions) {
  /** Undefined too: a domain without a policy costs one question a minute. */
  const findings = new LRUCache<string, { finding: Promise<StsFinding> }>({ max: MAX_DOMAINS });

  async function find(domain: string): Promise<{ finding: StsFinding; againInMs: number }> {
    const key = `postern:tls:sts:${domain}`;
    const known = parseKnown(await memory.get(key), now());
    const before: StsFinding = known ? { policy: known.policy } : {};
    const records = await lookUp(`_mta-sts.${domain}`);
    const id = records && readStsId(records);
    if (id === undefined || id === known?.id) {
      return { finding: before, againInMs: REFRESH_MS };
    }
    const fetched = await fetch(domain);
    if (!fetched.ok) {
      return { finding: { ...before, failure: fetched.reason }, againInMs: RETRY_MS };
    }
    const { policy } = fetched;
    if (policy.maxAgeSeconds > 0) {
      const value: Known = { id, policy, expiresAt: now() + policy.maxAgeSeconds * 1_000 };
      await memory.set(key, JSON.stringify(value), policy.maxAgeSeconds);
    }
    return { finding: { policy }, againInMs: REFRESH_MS };
  }

  /** @param domain lower case, A-labels */
  return async (domain: string): Promise<StsFinding> => {
    const held = findings.get(domain);
    if (held) return held.finding;
    const asked = find(domain);
    const finding = asked.then((found) => found.finding);
    findings.set(domain, { finding }, { ttl: REFRESH_MS });
    try {
      const { againInMs } = await asked;
      findings.set(domain, { finding }, { ttl: againInMs });
    } catch {
      findings.delete(domain); // who awaits the finding is told
    }
    return finding;
  };
}

function parseKnown(text: string | undefined, now: number): Known | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(knownSchema, value) && value.expiresAt > now ? value : undefined;
  } catch {
    return undefined; // what stands in Redis is not trusted
  }
}
