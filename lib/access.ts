/**
 * From where, and until when, an API token may be used: one rule for HTTP and SMTP. The credential carries it, so that
 * the gateway can apply it to a cached answer too.
 */
import ipaddr from 'ipaddr.js';

export interface AccessRule {
  /** Networks in CIDR notation, as normalizeNetwork returns them; empty: from anywhere */
  allowedNetworks: string[];
  /** ISO 8601; null: for ever */
  expiresAt: string | null;
}

export type AccessRefusal = 'expired' | 'address_not_allowed';

/** Why a token with this rule may not be used by this client now; undefined when it may. */
export function refuseAccess(
  { allowedNetworks, expiresAt }: AccessRule,
  address: string,
  nowMs = Date.now(),
): AccessRefusal | undefined {
  if (expiresAt !== null && Date.parse(expiresAt) <= nowMs) return 'expired';
  if (allowedNetworks.length === 0) return undefined;
  return allowedNetworks.some((network) => isInNetwork(address, network)) ? undefined : 'address_not_allowed';
}

/**
 * `192.0.2.7` becomes `192.0.2.7/32`, `10.1.2.3/8` becomes `10.0.0.0/8`. Undefined: no address and no network, or one
 * that could be read in two ways (`127.1`, `010.0.0.1`, an IPv4 address dressed as IPv6).
 */
export function normalizeNetwork(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.trim().split('/');
  if (rest.length > 0 || address.includes('%')) return undefined;
  const isV4 = ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isV4 && !ipaddr.IPv6.isValid(address)) return undefined;
  if (!isV4 && ipaddr.IPv6.parse(address).isIPv4MappedAddress()) return undefined;
  const maxBits = isV4 ? 32 : 128;
  const prefix = bits === undefined ? maxBits : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!(prefix <= maxBits)) return undefined;
  const family = isV4 ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(`${address}/${prefix}`)}/${prefix}`;
}

/** @param network as normalizeNetwork returns it */
function isInNetwork(address: string, network: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const client = ipaddr.process(address); // a dual-stack socket names IPv4 clients ::ffff:192.0.2.1
  const [range, bits] = ipaddr.parseCIDR(network);
  return client.kind() === range.kind() && client.match(range, bits);
}
