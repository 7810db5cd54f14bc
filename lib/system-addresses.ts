/**
 * The addresses at which Postern itself gets mail, beside return paths: postmaster and abuse (RFC 5321 4.5.1, RFC 2142)
 * of every name that receives, and where feedback loops and reports are sent to.
 */
import type { Settings } from '../config/schema.ts';
import type { SystemPurpose } from './rpc/contracts/recipients.ts';

/** Local parts, at `mta.returnPathDomain` */
const reports = {
  fbl: 'feedback',
  'tls-reports': 'tls_report',
  'dmarc-reports': 'dmarc_report',
} as const satisfies Record<string, SystemPurpose>;

const everywhere = { postmaster: 'postmaster', abuse: 'abuse' } as const;

/** Where feedback loops are to send complaints, and receivers their reports: for DNS records and forms of providers. */
export function reportAddress(purpose: (typeof reports)[keyof typeof reports], settings: Mta): string {
  const localPart = Object.entries(reports).find(([, one]) => one === purpose)?.[0];
  return `${localPart}@${settings.mta.returnPathDomain}`;
}

/** Of a local part that every receiving name has; lower case, with or without a tag. */
export function commonPurposeOf(localPart: string): 'postmaster' | 'abuse' | undefined {
  return lookUp(everywhere, untagged(localPart));
}

/** What one of our own names gets; undefined: it is not one of our names, or there is nobody of this name. */
export function ownPurposeOf(
  { localPart, hostname }: { localPart: string; hostname: string },
  settings: Mta & Pick<Settings, 'hostname' | 'inbound'>,
): SystemPurpose | undefined {
  const { returnPathDomain } = settings.mta;
  if (![returnPathDomain, settings.hostname, settings.inbound.hostname].includes(hostname)) return undefined;
  const report = hostname === returnPathDomain ? lookUp(reports, untagged(localPart)) : undefined;
  return report ?? commonPurposeOf(localPart);
}

type Mta = { mta: Pick<Settings['mta'], 'returnPathDomain'> };

/** `fbl+yahoo` is `fbl`: a tag tells operators where it is registered. */
function untagged(localPart: string): string {
  return localPart.replace(/\+.*$/s, '');
}

function lookUp<V>(table: Readonly<Record<string, V>>, key: string): V | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
