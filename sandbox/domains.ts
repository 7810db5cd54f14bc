/**
 * The domains that behave differently, by any label of their name: `nxdomain.test`, `a.servfail.example`.
 * Every other domain has one MX, `mx.<domain>`, which works. Several labels add up; where two differ, the leftmost counts.
 */

/** Where the MX hosts listen. Linux answers on all of 127.0.0.0/8 without set-up. */
export const mxAddresses = {
  brokenTls: '127.0.0.2',
  noTls: '127.0.0.3',
  oldTls: '127.0.0.4',
  nobody: '127.0.0.9',
} as const;

export interface MailExchange {
  priority: number;
  /** Empty: the null MX (RFC 7505). */
  exchange: string;
}

export interface DomainBehaviour {
  meaning: string;
  /** How every question about it is answered. */
  outcome?: 'not_found' | 'failed' | 'silent';
  mailExchanges?: (domain: string) => MailExchange[];
  /** A record of the domain and of the hosts below it. */
  address?: string;
  spf?: string;
  dmarc?: string;
  /** Of its MX; missing: by the sandbox's authority, for the host's name. */
  certificate?: 'self-signed' | 'expired' | 'wrong-name';
  /** What it says by MTA-STS (RFC 8461); `isMoved`: its host sends elsewhere for it. */
  mtaSts?: { mode: 'enforce' | 'testing'; mx: (domain: string) => string; isMoved?: true };
  /** DNSSEC protects it, and its TLSA records (RFC 7672) pin its MX's key, another one, or cannot be had. */
  tlsa?: 'match' | 'mismatch' | 'failed';
  /** It asks for reports of TLS (RFC 8460). */
  wantsTlsReports?: true;
}

/** The host that has the domain's policy, and takes reports. */
export const POLICY_HOST = 'mta-sts.';
const firstMx = (domain: string) => `mx.${domain}`;
const foreignMx = (domain: string) => `elsewhere.${domain}`;

export const domainBehaviours: Readonly<Record<string, DomainBehaviour>> = {
  nxdomain: { meaning: 'The name does not exist (NXDOMAIN)', outcome: 'not_found' },
  servfail: { meaning: 'The name server fails (SERVFAIL)', outcome: 'failed' },
  timeout: { meaning: 'The name server never answers', outcome: 'silent' },
  nullmx: {
    meaning: 'The domain takes no mail (RFC 7505)',
    mailExchanges: () => [{ priority: 0, exchange: '' }],
  },
  nomx: { meaning: 'No MX record, only A (RFC 5321 5.1: the domain is its own MX)', mailExchanges: () => [] },
  refused: { meaning: 'The MX refuses the connection', address: mxAddresses.nobody },
  fallback: {
    meaning: 'The first MX refuses the connection, the second works',
    mailExchanges: (domain) => [
      { priority: 10, exchange: `mx.refused.${domain}` },
      { priority: 20, exchange: `mx.${domain}` },
    ],
  },
  'tls-broken': { meaning: 'The MX offers STARTTLS, the handshake fails', address: mxAddresses.brokenTls },
  'no-tls': { meaning: 'The MX does not offer STARTTLS', address: mxAddresses.noTls },
  'old-tls': { meaning: 'The MX knows TLS 1.0 and 1.1 only', address: mxAddresses.oldTls },
  'self-signed': { meaning: 'The certificate of the MX is self-signed', certificate: 'self-signed' },
  'expired-certificate': { meaning: 'The certificate of the MX is out of date', certificate: 'expired' },
  'wrong-certificate': { meaning: 'The certificate of the MX is of another host', certificate: 'wrong-name' },
  'mta-sts-enforce': {
    meaning: 'MTA-STS enforces TLS to mx.<domain>',
    mtaSts: { mode: 'enforce', mx: firstMx },
  },
  'mta-sts-testing': {
    meaning: 'MTA-STS tests TLS to mx.<domain>',
    mtaSts: { mode: 'testing', mx: firstMx },
  },
  'mta-sts-foreign': {
    meaning: 'MTA-STS enforces TLS to a host that is no MX of the domain',
    mtaSts: { mode: 'enforce', mx: foreignMx },
  },
  'mta-sts-redirect': {
    meaning: 'As mta-sts-foreign, but behind a redirect, which nobody may follow (RFC 8461 3.3)',
    mtaSts: { mode: 'enforce', mx: foreignMx, isMoved: true },
  },
  dane: {
    meaning: 'TLSA records pin the self-signed certificate of the MX',
    tlsa: 'match',
    certificate: 'self-signed',
  },
  'dane-mismatch': { meaning: 'TLSA records pin another key than that of the MX', tlsa: 'mismatch' },
  'dane-failed': { meaning: 'The name server fails where the TLSA records are asked for', tlsa: 'failed' },
  'tls-reports': { meaning: 'It asks for reports of TLS, by mail and HTTPS', wantsTlsReports: true },
  'spf-fail': { meaning: 'SPF authorizes nobody', spf: 'v=spf1 -all' },
  'dmarc-reject': { meaning: 'DMARC asks for rejection', dmarc: 'v=DMARC1; p=reject' },
};

const behaviourByLabel = new Map(Object.entries(domainBehaviours));

/** @param name lower case, without the root dot @returns undefined: no label of it is special */
export function findDomainBehaviour(name: string): DomainBehaviour | undefined {
  const found = name.split('.').flatMap((label) => behaviourByLabel.get(label) ?? []);
  return found.length === 0 ? undefined : Object.assign({}, ...found.reverse());
}
