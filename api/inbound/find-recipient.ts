/** Whose mail an address gets: a route's, Postern's own, or nobody's (undefined). */
import type { Settings } from '../../config/schema.ts';
import type { InboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import { commonPurposeOf, ownPurposeOf } from '../../lib/system-addresses.ts';
import type { Queryable } from '../database.ts';
import { type InboundRoute, isReceivingHost, listRoutesOfHost } from '../models/inbound-route.ts';
import { matchRoute } from './match-route.ts';

export type FoundRecipient =
  | { kind: 'route'; route: InboundRoute }
  | Extract<InboundRecipient, { kind: 'system' }>;

/**
 * A route for exactly postmaster or abuse goes first, then we get it, then patterns and catch-alls: nobody keeps
 * complaints about a name from its operator by accident.
 * @param address lower case
 */
export async function findRecipient(
  db: Queryable,
  address: string,
  settings: Pick<Settings, 'mta' | 'hostname' | 'inbound'>,
  listRoutes = (hostname: string) => listRoutesOfHost(db, hostname),
): Promise<FoundRecipient | undefined> {
  const at = address.lastIndexOf('@');
  const [localPart, hostname] = [address.slice(0, at), address.slice(at + 1)];
  const own = ownPurposeOf({ localPart, hostname }, settings);
  if (own) return { kind: 'system', purpose: own };
  const route = matchRoute(await listRoutes(hostname), localPart);
  if (route?.kind === 'exact') return { kind: 'route', route };
  const common = commonPurposeOf(localPart);
  if (common && (await isReceivingHost(db, hostname))) return { kind: 'system', purpose: common };
  return route && { kind: 'route', route };
}
