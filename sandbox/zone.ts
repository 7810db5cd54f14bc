/** What the DNS of the sandbox answers: every name exists, every domain has a working MX, but for domains.ts. */
import { type DomainBehaviour, findDomainBehaviour, type MailExchange, POLICY_HOST } from './domains.ts';

const DEFAULT_SPF = 'v=spf1 ip4:127.0.0.0/8 ip6:::1 -all';
const DEFAULT_DMARC = 'v=DMARC1; p=none';
/** A name has 253 characters at most; `mx.` in front of a longer one would not fit. */
const MAX_DOMAIN_LENGTH = 240;
const POLICY_ID = 'sandbox1';
/** A SHA-256 that no key has */
const OTHER_TLSA = Buffer.from([3, 1, 1, ...Buffer.alloc(32)]);

export type ZoneRecord =
  | { type: 'A' | 'AAAA'; address: string }
  | { type: 'MX'; priority: number; exchange: string }
  | { type: 'TXT'; text: string }
  | { type: 'CNAME'; domain: string }
  | { type: 'PTR'; domain: string }
  /** RFC 6698 2.1, as on the wire */
  | { type: 'TLSA'; data: Buffer };

export type ZoneAnswer =
  /** The name exists; no records: none of this type. `isSecure`: DNSSEC vouches for it. */
  | { status: 'found'; records: ZoneRecord[]; isSecure?: true }
  | { status: 'not_found'; isSecure?: true }
  | { status: 'failed' }
  /** No answer at all. */
  | { status: 'silent' };

/** The published DKIM record of a selector. Anything but `not_found` is answered by SERVFAIL. */
export type FindDkimRecord = (
  domain: string,
  selector: string,
) => Promise<{ ok: true; value: { value: string } } | { ok: false; reason: string }>;

export interface ZoneOptions {
  /** The name 127.0.0.0/8 resolves back to: that of the sending host. */
  hostname: string;
  /** The A record of every host. */
  address: string;
  findDkimRecord: FindDkimRecord;
  /** Where the policy hosts of domains listen, and the record that pins the key of their MX hosts; missing: there are none. */
  tls?: { policyPort: number; tlsa: Buffer };
  /** What `mailer.<domain>` is an alias of: the return path's domain. Missing: there are no aliases. */
  returnPathDomain?: string;
}

export interface Zone {
  hostname: string;
  /** @param type mnemonic of the record type; one that the zone does not know has no records */
  answer(name: string, type: string): Promise<ZoneAnswer>;
}

export function createZone(options: ZoneOptions): Zone {
  return {
    hostname: options.hostname,
    answer: (name, type) => answer(options, name.toLowerCase().replace(/\.$/, ''), type),
  };
}

async function answer(options: ZoneOptions, name: string, type: string): Promise<ZoneAnswer> {
  const behaviour = findDomainBehaviour(name);
  const answer = await answerAs(behaviour, options, name, type);
  const isSigned =
    behaviour?.tlsa !== undefined && (answer.status === 'found' || answer.status === 'not_found');
  return isSigned ? { ...answer, isSecure: true } : answer;
}

async function answerAs(
  behaviour: DomainBehaviour | undefined,
  options: ZoneOptions,
  name: string,
  type: string,
): Promise<ZoneAnswer> {
  if (behaviour?.outcome) return { status: behaviour.outcome };
  if (name.endsWith('.arpa')) return answerReverse(options, name, type);
  if (isBlocklistQuestion(name)) return { status: 'not_found' };

  const dkim = /^(?<selector>[a-z0-9._-]+)\._domainkey\.(?<domain>[a-z0-9._-]+)$/.exec(name)?.groups;
  if (dkim?.selector && dkim.domain) return answerDkim(options, dkim.domain, dkim.selector, type);
  if (isDmarcName(name)) return found(type, { type: 'TXT', text: behaviour?.dmarc ?? DEFAULT_DMARC });
  if (name.split('.').some((label) => label.startsWith('_')))
    return behaviour ? answerTls(behaviour, options, name, type) : { status: 'not_found' };

  if (type === 'CNAME') return answerAlias(options, name);
  const exchanges = behaviour?.mailExchanges?.(name) ?? defaultExchanges(name);
  return found(
    type,
    { type: 'A', address: (!name.startsWith(POLICY_HOST) && behaviour?.address) || options.address },
    { type: 'TXT', text: behaviour?.spf ?? DEFAULT_SPF },
    ...exchanges.map((exchange) => ({ type: 'MX' as const, ...exchange })),
  );
}

/** What a domain says of TLS by records below an underscore: MTA-STS, TLS reports, TLSA. */
function answerTls(
  { mtaSts, wantsTlsReports, tlsa }: DomainBehaviour,
  { tls }: ZoneOptions,
  name: string,
  type: string,
): ZoneAnswer {
  const [, prefix, domain] = /^(_mta-sts|_smtp\._tls|_\d+\._tcp)\.([^_]+)$/.exec(name) ?? [];
  if (!tls || !prefix || !domain) return { status: 'not_found' };
  if (prefix === '_mta-sts' && mtaSts) return found(type, { type: 'TXT', text: `v=STSv1; id=${POLICY_ID};` });
  if (prefix === '_smtp._tls' && wantsTlsReports) {
    const url = `https://${POLICY_HOST}${domain}:${tls.policyPort}/tls-reports`;
    return found(type, { type: 'TXT', text: `v=TLSRPTv1; rua=mailto:tls-reports@${domain},${url}` });
  }
  if (!prefix.endsWith('_tcp') || !tlsa) return { status: 'not_found' };
  if (tlsa === 'failed') return { status: 'failed' };
  return found(type, { type: 'TLSA', data: tlsa === 'match' ? tls.tlsa : OTHER_TLSA });
}

function found(type: string, ...records: ZoneRecord[]): ZoneAnswer {
  return { status: 'found', records: records.filter((record) => record.type === type) };
}

function defaultExchanges(domain: string): MailExchange[] {
  return [{ priority: 10, exchange: domain.length > MAX_DOMAIN_LENGTH ? domain : `mx.${domain}` }];
}

async function answerDkim(
  { findDkimRecord }: ZoneOptions,
  domain: string,
  selector: string,
  type: string,
): Promise<ZoneAnswer> {
  const record = await findDkimRecord(domain, selector);
  if (record.ok) return found(type, { type: 'TXT', text: record.value.value });
  return { status: record.reason === 'not_found' ? 'not_found' : 'failed' };
}

/** The alias that customers are told to publish (contract 5). */
function answerAlias({ returnPathDomain }: ZoneOptions, name: string): ZoneAnswer {
  if (!returnPathDomain || !name.startsWith('mailer.')) return { status: 'found', records: [] };
  return found('CNAME', { type: 'CNAME', domain: returnPathDomain });
}

function answerReverse({ hostname }: ZoneOptions, name: string, type: string): ZoneAnswer {
  if (!/^\d{1,3}\.\d{1,3}\.\d{1,3}\.127\.in-addr\.arpa$/.test(name)) return { status: 'not_found' };
  return found(type, { type: 'PTR', domain: hostname });
}

/** Not of a top-level domain: a record there would align all domains below it (RFC 9989 4.10). */
function isDmarcName(name: string): boolean {
  return /^_dmarc\.[^.]+\.[^_]+$/.test(name);
}

/** `1.0.0.127.zen.spamhaus.org`: an A record would mean "listed" (RFC 5782 2.1). */
function isBlocklistQuestion(name: string): boolean {
  return /^(\d{1,3}\.){4}[a-z]/.test(name);
}
