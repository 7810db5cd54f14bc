/** Whether a domain has published its DKIM key: asks the DNS, as every receiver of its mail will. */
import { Resolver } from 'node:dns/promises';
import type { Settings } from '../../config/schema.ts';

const TIMEOUT_MS = 2_000;
const TRIES = 2;

/** What the DNS says when it has no such record; anything else is no answer. */
const NO_RECORD = new Set(['ENOTFOUND', 'ENODATA']);

export type DkimRecordCheck = 'published' | 'missing' | 'different' | 'unknown';

/** @param record the value it should have; only its key (`p=`) is compared (RFC 6376 3.6.1) */
export async function checkDkimRecord(
  { domain, selector, record }: { domain: string; selector: string; record: string },
  nameservers: readonly string[],
): Promise<DkimRecordCheck> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (nameservers.length > 0) resolver.setServers(nameservers);
  try {
    const found = await resolver.resolveTxt(`${selector}._domainkey.${domain}`);
    const keys = found.map((parts) => keyOf(parts.join('')));
    return keys.includes(keyOf(record)) ? 'published' : 'different';
  } catch (error) {
    return error instanceof Error && 'code' in error && NO_RECORD.has(String(error.code))
      ? 'missing'
      : 'unknown';
  }
}

/** Outside production the sandbox is the DNS, as for the mta. */
export function chooseNameservers({ environment, mta, sandbox }: Settings): readonly string[] {
  return environment === 'production' ? mta.nameservers : [`${sandbox.host}:${sandbox.dnsPort}`];
}

/** People paste long values with spaces and line ends in them; those do not count. */
function keyOf(record: string): string | undefined {
  return /(?:^|;)\s*p\s*=([^;]*)/i.exec(record)?.[1]?.replaceAll(/\s/g, '');
}
