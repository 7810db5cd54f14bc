/** Where the mail of a domain goes: its inbound routes. How they change: inbound-route-lifecycle.ts. */
import type { Queryable } from '../database.ts';
import { isConfirmed } from './forward-address.ts';
import { type ListOwner, ownerParameters } from './list-owner.ts';

export const routeKinds = ['exact', 'pattern', 'catch_all'] as const;
export const routeTargets = ['http', 'smtp', 'forward', 'store'] as const;

export interface InboundRoute {
  id: number;
  organizationId: number;
  domainId: number;
  domain: string;
  /** The domain's name or one below it */
  hostname: string;
  kind: (typeof routeKinds)[number];
  /** Empty of a catch-all */
  localPart: string;
  subaddressing: boolean;
  target: (typeof routeTargets)[number];
  /** Of http and smtp an URL, without user and password; of forward an address; empty of store */
  destination: string;
  hasBasicAuth: boolean;
  /** Of smtp: the server has TLS and a certificate that holds, or gets nothing. */
  requiresTls: boolean;
  /** Of forward: the address has agreed, or is at a verified domain of the organization. */
  isConfirmed: boolean;
  description: string;
  dmarc: 'honour' | 'mark';
  spamRefuseScore: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Of the table under the alias `route`. */
export const routeColumns = `
  route.id, route.hostname, route.kind, route.subaddressing, route.target, route.destination, route.description,
  route.dmarc,
  route.organization_id   as "organizationId",
  route.domain_id         as "domainId",
  (select name from domains where id = route.domain_id) as domain,
  route.local_part        as "localPart",
  route.requires_tls      as "requiresTls",
  route.spam_refuse_score as "spamRefuseScore",
  route.basic_auth_sealed is not null as "hasBasicAuth",
  route.target = 'forward' and ${isConfirmed('route.organization_id', 'route.destination')} as "isConfirmed",
  route.created_at        as "createdAt",
  route.updated_at        as "updatedAt"`;
/** `$1` and `$2` are the owner's organization and domain. */
export const isOwnedRoute =
  'route.organization_id = $1 and ($2::bigint is null or route.domain_id = $2) and route.deleted_at is null';

export async function listInboundRoutes(db: Queryable, owner: ListOwner): Promise<InboundRoute[]> {
  const { rows } = await db.query<InboundRoute>(
    `select ${routeColumns} from inbound_routes route where ${isOwnedRoute} order by route.hostname, route.id`,
    ownerParameters(owner),
  );
  return rows;
}

/** Undefined: there is none, or it is another's. */
export async function findInboundRoute(
  db: Queryable,
  id: number,
  owner: ListOwner,
): Promise<InboundRoute | undefined> {
  const { rows } = await db.query<InboundRoute>(
    `select ${routeColumns} from inbound_routes route where ${isOwnedRoute} and route.id = $3`,
    [...ownerParameters(owner), id],
  );
  return rows[0];
}

/** Those of a host name of the domain that owns it: verified, and of all that the name ends with the longest. */
export async function listRoutesOfHost(db: Queryable, hostname: string): Promise<InboundRoute[]> {
  const { rows } = await db.query<InboundRoute>(
    `select ${routeColumns}
       from inbound_routes route
       join (select id, dkim_verified_at
               from domains
              where name = any($2::text[]) and deleted_at is null
              order by length(name) desc
              limit 1) as owner on owner.id = route.domain_id
      where route.hostname = $1 and route.deleted_at is null and owner.dkim_verified_at is not null`,
    [hostname, suffixesOf(hostname)],
  );
  return rows;
}

/** Whether mail to the name is a matter of ours: it is a verified domain's, or has routes. */
export async function isReceivingHost(db: Queryable, hostname: string): Promise<boolean> {
  const { rowCount } = await db.query(
    `select from domains where name = $1 and deleted_at is null and dkim_verified_at is not null
      union all
     (select from inbound_routes where hostname = $1 and deleted_at is null limit 1)`,
    [hostname],
  );
  return rowCount !== 0;
}

/** `a.b.example` and all that it ends with, down to two labels. */
export function suffixesOf(hostname: string): string[] {
  const labels = hostname.split('.');
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'));
}
