/**
 * Which addresses a webhook may connect to: those of the public internet, and no address of this machine (HK-1 to HK-3).
 * It judges the address that the kernel will be given, never the text of an URL: `127.1`, `0x7f000001` and
 * `127.0.0.1.nip.io` are the same address by then.
 */
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import { isInside, isPublicAddress, type Network, readAddress } from '../../lib/public-address.ts';

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
      const address = readAddress(text);
      if (!address) return false;
      if (address.range() === 'loopback') return allowLoopback;
      if (denied.some((network) => isInside(address, network))) return false;
      return isPublicAddress(text);
    },
  };
}

/** `192.0.2.0/24`, or one address. @throws when it is neither */
export function parseNetwork(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = readAddress(text);
  if (!address) throw new Error(`${text} is neither an address nor a network`);
  return [address, address.toByteArray().length * 8];
}

function listOwnAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.map(({ address }) => address),
  );
}
