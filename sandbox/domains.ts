/**
 * The domains that behave differently, by any label of their name: `nxdomain.test`, `a.servfail.example`.
 * Every other domain has one MX, `mx.<domain>`, which works. The leftmost special label wins.
 */

/** Where the three MX hosts listen. Linux answers on all of 127.0.0.0/8 without set-up. */
export const mxAddresses = { brokenTls: '127.0.0.2', noTls: '127.0.0.3', nobody: '127.0.0.9' } as const;

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
}

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
  'spf-fail': { meaning: 'SPF authorizes nobody', spf: 'v=spf1 -all' },
  'dmarc-reject': { meaning: 'DMARC asks for rejection', dmarc: 'v=DMARC1; p=reject' },
};

const behaviourByLabel = new Map(Object.entries(domainBehaviours));

/** @param name lower case, without the root dot */
export function findDomainBehaviour(name: string): DomainBehaviour | undefined {
  for (const label of name.split('.')) {
    const behaviour = behaviourByLabel.get(label);
    if (behaviour) return behaviour;
  }
  return undefined;
}
