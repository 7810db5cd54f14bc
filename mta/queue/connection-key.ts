/**
 * Which deliveries may share a connection: those that would have opened the same one. ZoneMTA tells connections apart by
 * local address, domain and port alone, so that a delivery with credentials of its own, or to a server of its own, could
 * leave over somebody else's (OB-9).
 */
import { hash } from 'node:crypto';
import type { ConnectionSettings } from '../zone-mta.ts';

const SMTP_PORT = 25;

interface LocalAddress {
  address?: string;
  name?: string;
}

/** Whatever ZoneMTA and its plugins can set on a delivery that decides how a connection is opened. */
export interface ConnectionTerms {
  domain: string;
  zoneAddress?: LocalAddress;
  zoneAddressIPv4?: LocalAddress;
  zoneAddressIPv6?: LocalAddress;
  /** Hosts in place of the domain's MX */
  mx?: unknown;
  mxPort?: number;
  mxAuth?: unknown;
  mxSecure?: boolean;
  useLMTP?: boolean;
  skipSTS?: boolean;
  tlsTerms?: string;
}

/** A digest, as there are credentials in it. */
export function connectionKeyOf(delivery: ConnectionTerms, zone: ConnectionSettings): string {
  // Which family it becomes is seen only when a host answers.
  const locals = [delivery.zoneAddress, delivery.zoneAddressIPv4, delivery.zoneAddressIPv6];
  const terms = [
    ...locals.flatMap((local) => [local?.address ?? null, local?.name ?? null]),
    ...[zone.host ?? delivery.domain, delivery.mx ?? null, delivery.mxPort ?? zone.port ?? SMTP_PORT],
    ...[delivery.mxSecure ?? zone.secure ?? false, zone.ignoreTLS ?? false, delivery.skipSTS ?? false],
    ...[delivery.useLMTP ?? false, delivery.mxAuth ?? null, delivery.tlsTerms ?? null],
  ];
  return hash('sha256', JSON.stringify(terms), 'base64');
}
