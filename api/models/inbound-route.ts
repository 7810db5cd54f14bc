/** Where the mail of a domain goes: its inbound routes. Each change makes the inbound servers ask again. */
import { findInboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import type { Queryable, Transaction } from '../database.ts';
import { isConfirmed } from './forward-address.ts';
import {
  closeEndpoint,
  hasEndpoint,
  openEndpoint,
  sealBasicAuth,
  settleEndpoint,
} from './inbound-endpoint.ts';
import type { ListOwner } from './list-owner.ts';
import { ensureWebhookKey } from './webhook-key.ts';

export const MAX_ROUTES = 200;

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

export interface NewInboundRoute
  extends Pick<
    InboundRoute,
    | 'hostname'
    | 'kind'
    | 'localPart'
    | 'subaddressing'
    | 'target'
    | 'destination'
    | 'requiresTls'
    | 'description'
    | 'dmarc'
    | 'spamRefuseScore'
  > {
  /** `user:password` for the endpoint; null: none */
  basicAuth: string | null;
}

/** What is absent stays. */
export type InboundRouteChange = Partial<Omit<NewInboundRoute, 'hostname' | 'kind' | 'localPart'>>;

export type RouteResult =
  /** `secret`: of an endpoint, to check signatures with; shown this once */
  | { ok: true; route: InboundRoute; secret: Buffer | undefined }
  /** `taken`: the domain has one for it; `foreign`: the host name is another domain's of this installation */
  | { ok: false; reason: 'taken' | 'foreign' | 'too_many' };

const columns = `
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
const isOwned =
  'route.organization_id = $1 and ($2::bigint is null or route.domain_id = $2) and route.deleted_at is null';

export async function listInboundRoutes(db: Queryable, owner: ListOwner): Promise<InboundRoute[]> {
  const { rows } = await db.query<InboundRoute>(
    `select ${columns} from inbound_routes route where ${isOwned} order by route.hostname, route.id`,
    valuesOf(owner),
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
    `select ${columns} from inbound_routes route where ${isOwned} and route.id = $3`,
    [...valuesOf(owner), id],
  );
  return rows[0];
}

/** Those of a host name of the domain that owns it: verified, and of all that the name ends with the longest. */
export async function listRoutesOfHost(db: Queryable, hostname: string): Promise<InboundRoute[]> {
  const { rows } = await db.query<InboundRoute>(
    `select ${columns}
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

/** Inside a transaction. @param owner with the domain that it is for */
export async function createInboundRoute(
  tx: Transaction,
  owner: { organizationId: number; domainId: number },
  asked: NewInboundRoute,
  masterKey: string,
): Promise<RouteResult> {
  await ensureWebhookKey(tx, owner.domainId, masterKey); // locks the domain: one counts at a time
  if ((await listInboundRoutes(tx, owner)).length >= MAX_ROUTES) return { ok: false, reason: 'too_many' };
  if (await isForeign(tx, asked.hostname, owner.domainId)) return { ok: false, reason: 'foreign' };
  const { rows } = await tx.query<InboundRoute>(
    `insert into inbound_routes as route (organization_id, domain_id, hostname, kind, local_part, subaddressing, target,
                                          destination, basic_auth_sealed, requires_tls, description, dmarc, spam_refuse_score)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     on conflict do nothing
       returning ${columns}`,
    [
      ...valuesOf(owner),
      asked.hostname,
      asked.kind,
      asked.localPart,
      asked.subaddressing,
      asked.target,
      asked.destination,
      asked.basicAuth === null ? null : sealBasicAuth(asked.basicAuth, owner.domainId, masterKey),
      asked.requiresTls,
      asked.description,
      asked.dmarc,
      asked.spamRefuseScore,
    ],
  );
  const [route] = rows;
  if (!route) return { ok: false, reason: 'taken' };
  const secret = hasEndpoint(route) ? await openEndpoint(tx, route, masterKey) : undefined;
  await forgetAddresses(tx, route);
  return { ok: true, route, secret };
}

/**
 * What waits goes to the new target, if that is an endpoint; else it is kept. Inside a transaction.
 * @returns undefined: there is none, or it is another's; `secret`: of an endpoint that was none before
 */
export async function changeInboundRoute(
  tx: Transaction,
  id: number,
  owner: ListOwner,
  { basicAuth, ...change }: InboundRouteChange,
  masterKey: string,
): Promise<{ route: InboundRoute; secret: Buffer | undefined } | undefined> {
  const { rows: locked } = await tx.query<InboundRoute>(
    `select ${columns} from inbound_routes route where ${isOwned} and route.id = $3 for update of route`,
    [...valuesOf(owner), id],
  );
  const [before] = locked;
  if (!before) return undefined;
  const asked = { ...before, ...change };
  const { rows } = await tx.query<InboundRoute>(
    `update inbound_routes route
        set subaddressing     = $2,
            target            = $3,
            destination       = $4,
            requires_tls      = $5,
            description       = $6,
            dmarc             = $7,
            spam_refuse_score = $8,
            basic_auth_sealed = case when $9::boolean then $10 else basic_auth_sealed end,
            updated_at        = now()
      where id = $1
  returning ${columns}`,
    [
      id,
      asked.subaddressing,
      asked.target,
      asked.destination,
      asked.requiresTls,
      asked.description,
      asked.dmarc,
      asked.spamRefuseScore,
      basicAuth !== undefined,
      basicAuth ? sealBasicAuth(basicAuth, before.domainId, masterKey) : null,
    ],
  );
  const [route] = rows;
  if (!route) throw new Error('update returned no row');
  const secret = await settleEndpoint(tx, before, route, masterKey);
  await forgetAddresses(tx, route);
  return { route, secret };
}

/** What came by it is kept, with what waited for its endpoint. Inside a transaction. */
export async function deleteInboundRoute(
  tx: Transaction,
  id: number,
  owner: ListOwner,
): Promise<InboundRoute | undefined> {
  const { rows } = await tx.query<InboundRoute>(
    `update inbound_routes route set deleted_at = now()
      where route.id = (select id from inbound_routes route where ${isOwned} and route.id = $3 for update)
  returning ${columns}`,
    [...valuesOf(owner), id],
  );
  const [route] = rows;
  if (!route) return undefined;
  await closeEndpoint(tx, id);
  await forgetAddresses(tx, route);
  return route;
}

async function isForeign(db: Queryable, hostname: string, domainId: number): Promise<boolean> {
  const { rows } = await db.query<{ id: number }>(
    `select id from domains
      where name = any($1::text[]) and deleted_at is null
      order by length(name) desc
      limit 1`,
    [suffixesOf(hostname)],
  );
  return rows[0]?.id !== domainId;
}

/**
 * The inbound servers forget the addresses that the route may have been asked about: its own, and those that got mail
 * within the time an answer may be served stale. Of other addresses they may believe an old answer for a minute; the
 * message itself is judged anew when it is taken over (api/inbound/receive.ts).
 */
async function forgetAddresses(
  tx: Transaction,
  { hostname, kind, localPart, domainId }: InboundRoute,
): Promise<void> {
  const { rows } = await tx.query<{ address: string }>(
    `select distinct lower(recipient) as address
       from inbound_messages
      where domain_id = $1 and created_at > now() - interval '10 minutes'
      limit 1000`,
    [domainId],
  );
  const addresses = new Set(rows.map(({ address }) => address));
  if (kind === 'exact') addresses.add(`${localPart}@${hostname}`);
  for (const address of addresses) await tx.invalidate(findInboundRecipient, { address });
}

/** `a.b.example` and all that it ends with, down to two labels. */
function suffixesOf(hostname: string): string[] {
  const labels = hostname.split('.');
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'));
}

function valuesOf({ organizationId, domainId }: ListOwner): [number, number | null] {
  return [organizationId, domainId ?? null];
}
