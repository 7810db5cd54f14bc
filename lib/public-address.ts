/**
 * Which addresses are on the public internet: where a stranger may have us connect to. It judges the address that the
 * kernel will be given, never a name or a text that stands for it (HK-1 to HK-3).
 */
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
export type Network = [address: Address, prefixLength: number];

/** Global unicast (RFC 4291 2.4). Whatever IPv6 has outside of it is not the internet, `::127.0.0.1` among it. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** NAT64 (RFC 6052 2.1): reaches the IPv4 address in its last 32 bits. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

/** RFC 6890. False for what is no address at all, too. */
export function isPublicAddress(text: string): boolean {
  const address = readAddress(text);
  if (address?.range() !== 'unicast') return false;
  return address.kind() === 'ipv4' || isInside(address, GLOBAL_UNICAST);
}

/** The IPv4 address within an IPv6 address that stands for one. Undefined: it is none. */
export function readAddress(text: string): Address | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (isInside(address, NAT64)) return ipaddr.fromByteArray(address.toByteArray().slice(12));
  return address;
}

export function isInside(address: Address, network: Network): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}
