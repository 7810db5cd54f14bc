/** Inbound routes are made, changed and deleted. Each change makes the inbound servers ask again. */
import { findInboundRecipient } from '../../lib/rpc/contracts/recipients.ts';
import type { Queryable, Transaction } from '../database.ts';
import {
  closeEndpoint,
  hasEndpoint,
  openEndpoint,
  sealBasicAuth,
  settleEndpoint,
} from './inbound-endpoint.ts';
import {
  type InboundRoute,
  isOwnedRoute,
  listInboundRoutes,
  routeColumns,
  suffixesOf,
} from './inbound-route.ts';
import { type ListOwner, ownerParameters } from './list-owner.ts';
import { ensureWebhookKey } from './webhook-key.ts';

export const MAX_ROUTES = 200;

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
       returning ${routeColumns}`,
    [
      ...ownerParameters(owner),
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
    `select ${routeColumns} from inbound_routes route where ${isOwnedRoute} and route.id = $3 for update of route`,
    [...ownerParameters(owner), id],
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
  returning ${routeColumns}`,
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
      where route.id = (select id from inbound_routes route where ${isOwnedRoute} and route.id = $3 for update)
  returning ${routeColumns}`,
    [...ownerParameters(owner), id],
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
