/** The DNS records that a domain wants, each with what the DNS says about it now. */
import type { Settings } from '../../config/schema.ts';
import type { DkimAlgorithm } from '../../lib/rpc/contracts/dkim-keys.ts';
import { checkDkim, checkDmarc, checkInbound, checkReturnPath, checkSpf } from './checks.ts';
import type { Finding } from './finding.ts';
import type { Lookup, LookupResult } from './lookup.ts';

/** RFC 9989 4.10: no more questions than that on the way up. */
const MAX_DMARC_LOOKUPS = 8;

export type RecordPurpose = 'dkim' | 'return_path' | 'spf' | 'dmarc' | 'inbound';

export interface DnsRecord {
  purpose: RecordPurpose;
  name: string;
  type: 'TXT' | 'CNAME' | 'MX';
  /** What to publish */
  value: string;
  /** Without it no mail is taken. */
  isRequired: boolean;
}

export interface ExaminedRecord extends DnsRecord {
  finding: Finding;
}

export interface PublishedKey {
  selector: string;
  record: string;
  algorithm: DkimAlgorithm;
  state: 'pending' | 'active' | 'retired';
}

export interface ExaminedDomain {
  name: string;
  /** Keys that sign or will */
  dkimKeys: PublishedKey[];
}

/** Where bounces of the domain come back to, once the CNAME is there (contract 5). */
export function returnPathNameOf(domain: string): string {
  return `mailer.${domain}`;
}

export async function examineDomain(
  { name: domain, dkimKeys }: ExaminedDomain,
  lookup: Lookup,
  settings: Settings,
): Promise<ExaminedRecord[]> {
  const dkim = await Promise.all(dkimKeys.map((key) => examineDkimKey(domain, key, lookup)));
  return [
    ...dkim,
    ...(await examineReturnPath(domain, lookup, settings)),
    ...(await examineRest(domain, lookup, settings)),
  ];
}

export async function examineDkimKey(
  domain: string,
  { selector, record, algorithm, state }: PublishedKey,
  lookup: Lookup,
): Promise<ExaminedRecord> {
  const name = `${selector}._domainkey.${domain}`;
  const finding = checkDkim(await lookup(name, 'TXT'), name, record);
  const isRequired = algorithm === 'rsa-sha256' && state === 'active';
  return { purpose: 'dkim', name, type: 'TXT', value: record, isRequired, finding };
}

/** The CNAME, and the SPF record behind it. */
export async function examineReturnPath(
  domain: string,
  lookup: Lookup,
  { mta }: Pick<Settings, 'mta'>,
): Promise<ExaminedRecord[]> {
  const name = returnPathNameOf(domain);
  const target = mta.returnPathDomain;
  const [cname, spf, ours] = await Promise.all([
    lookup(name, 'CNAME'),
    lookup(name, 'TXT'),
    lookup(target, 'TXT'),
  ]);
  const alias = { purpose: 'return_path', name, type: 'CNAME', value: target, isRequired: false } as const;
  const value = `v=spf1 include:${target} -all`;
  return [
    { ...alias, finding: checkReturnPath(cname, name, target) },
    {
      purpose: 'spf',
      name,
      type: 'TXT',
      value,
      isRequired: false,
      finding: checkSpf(spf, ours, { name, target }),
    },
  ];
}

async function examineRest(domain: string, lookup: Lookup, settings: Settings): Promise<ExaminedRecord[]> {
  const dmarcName = `_dmarc.${domain}`;
  const host = settings.inbound.hostname || settings.hostname;
  const [dmarc, inherited, mx] = await Promise.all([
    lookup(dmarcName, 'TXT'),
    findDmarcAbove(domain, lookup),
    lookup(domain, 'MX'),
  ]);
  return [
    {
      purpose: 'dmarc',
      name: dmarcName,
      type: 'TXT',
      value: 'v=DMARC1; p=none',
      isRequired: false,
      finding: checkDmarc(dmarc, inherited, dmarcName),
    },
    {
      purpose: 'inbound',
      name: domain,
      type: 'MX',
      value: `10 ${host}`,
      isRequired: false,
      finding: checkInbound(mx, domain, host),
    },
  ];
}

/** The nearest policy above the domain; that of a top-level domain is none of its own. */
async function findDmarcAbove(domain: string, lookup: Lookup): Promise<LookupResult> {
  const labels = domain.split('.').slice(-MAX_DMARC_LOOKUPS);
  for (let start = 1; start < labels.length - 1; start += 1) {
    const result = await lookup(`_dmarc.${labels.slice(start).join('.')}`, 'TXT');
    if (result.ok) return result;
  }
  return { ok: false, reason: 'missing' };
}
