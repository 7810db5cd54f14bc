/**
 * Which addresses a webhook may connect to: those of the public internet, and no address of this machine (HK-1 to HK-3).
 * It judges the address that the kernel will be given, never the text of an URL: `127.1`, `0x7f000001` and
 * `127.0.0.1.nip.io` are the same address by then.
 */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [address: Address, prefixLength: number];

/** Global unicast (RFC 4291 2.4). Whatever IPv6 has outside of it is not the internet, `::127.0.0.1` among it. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** NAT64 (RFC 6052 2.1): reaches the IPv4 address in its last 32 bits. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');

export interface AddressPolicy {
  /** False for what is no address at all, too. */
  allows(address: string): boolean;
}

export interface AddressPolicyOptions {
  /** For development: 127.0.0.0/8 and ::1 */
  allowLoopback: boolean;
  /** Networks of the operator's, in CIDR notation */
  deniedNetworks: readonly string[];
  ownAddresses?: readonly string[];
}

export function createAddressPolicy({
  allowLoopback,
  deniedNetworks,
  ownAddresses = listOwnAddresses(),
}: AddressPolicyOptions): AddressPolicy {
  const denied = [...deniedNetworks.map(parseNetwork), ...ownAddresses.map(parseNetwork)];
  return {
    allows(text) {
      if (!ipaddr.isValid(text)) return false;
      const address = unwrap(ipaddr.parse(text));
      if (address.range() === 'loopback') return allowLoopback;
      if (denied.some((network) => isInside(address, network))) return false;
      return isPublic(address);
    },
  };
}

/** `192.0.2.0/24`, or one address. @throws when it is neither */
export function parseNetwork(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = unwrap(ipaddr.parse(text));
  return [address, address.toByteArray().length * 8];
}

function listOwnAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}

function isPublic(address: Address): boolean {
  return address.range() === 'unicast' && (address.kind() === 'ipv4' || isInside(address, GLOBAL_UNICAST));
}

function isInside(address: Address, network: Network): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

/** The IPv4 address within an IPv6 address that stands for one. */
function unwrap(address: Address): Address {
  if (!(address instanceof ipaddr.IPv6)) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (isInside(address, NAT64)) return ipaddr.fromByteArray(address.toByteArray().slice(12));
  return address;
}
