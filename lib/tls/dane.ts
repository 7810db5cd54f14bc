/**
 * DANE for SMTP (RFC 7672): what a domain pins by TLSA records that DNSSEC protects. Usages 2 (DANE-TA) and 3 (DANE-EE)
 * count; records of others are unusable, as mail has no authorities that all agree on (3.1.3).
 */
import { hash, type X509Certificate } from 'node:crypto';
import type { ValidatedLookup } from './validated-lookup.ts';

const TYPE_MX = 15;
const TYPE_A = 1;
const TYPE_TLSA = 52;
const USAGE_TA = 2;
const USAGE_EE = 3;

export interface Tlsa {
  usage: number;
  /** 0: the certificate, 1: its public key */
  selector: number;
  /** 0: as it is, 1: SHA-256, 2: SHA-512 */
  matching: number;
  data: Buffer;
}

export type TlsaFinding =
  /** Empty: DANE does not apply. */
  { ok: true; records: Tlsa[] } | { ok: false };

/** Not asked for where the MX record or the host's address is not validated (2.2.1, 2.2.2): it could be forged. */
export async function findTlsa(
  { domain, mx, port }: { domain: string; mx: string; port: number },
  lookUp: ValidatedLookup,
): Promise<TlsaFinding> {
  for (const [name, type] of [
    [domain, TYPE_MX],
    [mx, TYPE_A],
  ] as const) {
    const answer = await lookUp(name, type);
    if (!answer.ok) return { ok: false };
    if (!answer.isSecure) return { ok: true, records: [] };
  }
  const answer = await lookUp(`_${port}._tcp.${mx}`, TYPE_TLSA);
  if (!answer.ok) return { ok: false };
  return { ok: true, records: answer.isSecure ? answer.data.flatMap(readTlsa) : [] };
}

/** RFC 6698 2.1; none of what is too short to be one */
export function readTlsa(bytes: Buffer): Tlsa[] {
  const [usage, selector, matching] = bytes;
  if (usage === undefined || selector === undefined || matching === undefined) return [];
  return bytes.length > 3 ? [{ usage, selector, matching, data: bytes.subarray(3) }] : [];
}

/** @param chain as the server showed it, its own certificate first @returns undefined: no record is usable */
export function matchesTlsa(
  records: readonly Tlsa[],
  chain: readonly X509Certificate[],
  mx: string,
): boolean | undefined {
  const usable = records.filter(
    ({ usage, selector, matching }) =>
      (usage === USAGE_TA || usage === USAGE_EE) && selector <= 1 && matching <= 2,
  );
  if (usable.length === 0) return undefined;
  const [leaf] = chain;
  if (!leaf) return false;
  const issuers = verifiedPath(chain);
  return usable.some((record) => {
    if (record.usage === USAGE_EE) return isPinned(record, leaf); // 3.1.1: neither name nor dates count
    return leaf.checkHost(mx) !== undefined && issuers.some((issuer) => isPinned(record, issuer));
  });
}

/** Only who really issued the one below counts: a pinned certificate can be shown by anybody. */
function verifiedPath(chain: readonly X509Certificate[]): X509Certificate[] {
  const now = Date.now();
  const end = chain.findIndex((certificate, index) => {
    const issuer = chain[index + 1];
    const isValid = Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
    return !isValid || !issuer || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey);
  });
  return chain.slice(1, end + 1);
}

function isPinned({ selector, matching, data }: Tlsa, certificate: X509Certificate): boolean {
  const subject =
    selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' });
  if (matching === 0) return data.equals(subject);
  return data.equals(hash(matching === 1 ? 'sha256' : 'sha512', subject, 'buffer'));
}
