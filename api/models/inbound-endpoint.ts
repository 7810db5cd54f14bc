/**
 * The endpoint of an inbound route: a server, by HTTP or SMTP, that gets its messages and no events. It is a row among
 * webhooks, so that claims, attempts and the state of an endpoint are as those of all webhooks.
 */
import { randomBytes } from 'node:crypto';
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';
import type { Queryable } from '../database.ts';
import type { InboundRoute } from './inbound-route.ts';
import type { SealedColumn } from './sealed.ts';
import { SECRET_BYTES, sealSecret } from './webhook.ts';

export function hasEndpoint({ target }: Pick<InboundRoute, 'target'>): boolean {
  return target === 'http' || target === 'smtp';
}

/**
 * Inside a transaction.
 * @returns the secret of an endpoint by HTTP, which is shown this once
 */
export async function openEndpoint(
  tx: Queryable,
  { id, domainId, target, destination }: InboundRoute,
  masterKey: string,
): Promise<Buffer | undefined> {
  const secret = randomBytes(SECRET_BYTES);
  await tx.query(
    `insert into webhooks (domain_id, inbound_route_id, url, events, secret_sealed) values ($1, $2, $3, '{}', $4)
     on conflict (inbound_route_id) do update
        set url = excluded.url, secret_sealed = excluded.secret_sealed, old_secret_sealed = null, deleted_at = null,
            failures = 0, first_failure_at = null, failing_at = null, paused_until = null, updated_at = now()`,
    [domainId, id, destination, sealSecret(secret, domainId, masterKey)],
  );
  return target === 'http' ? secret : undefined;
}

/** What waits for it is kept, to be fetched. Inside a transaction. */
export async function closeEndpoint(tx: Queryable, routeId: number): Promise<void> {
  await tx.query(
    `with endpoint as (
       update webhooks set deleted_at = now() where inbound_route_id = $1 returning id
     )
     update webhook_deliveries set state = 'dead', claim = null, finished_at = now()
      where webhook_id in (select id from endpoint) and state = 'pending'`,
    [routeId],
  );
  await tx.query(
    `update inbound_messages set state = 'stored', updated_at = now()
      where route_id = $1 and state in ('queued', 'retrying') and forward_id is null`,
    [routeId],
  );
}

/**
 * After a change of a route. What waits is tried at the new place at its time, as if the old one had never failed.
 * @returns the secret of an endpoint by HTTP that was none before
 */
export async function settleEndpoint(
  tx: Queryable,
  before: InboundRoute,
  route: InboundRoute,
  masterKey: string,
): Promise<Buffer | undefined> {
  if (before.target === route.target && before.destination === route.destination) return undefined;
  if (before.target !== route.target) {
    if (hasEndpoint(route)) return openEndpoint(tx, route, masterKey);
    if (hasEndpoint(before)) await closeEndpoint(tx, route.id);
    return undefined;
  }
  await tx.query(
    `update webhooks
        set url = $2, failures = 0, first_failure_at = null, failing_at = null, paused_until = null, updated_at = now()
      where inbound_route_id = $1`,
    [route.id, route.destination],
  );
  return undefined;
}

/** `user:password` of the route's endpoint. @throws when it was sealed by another master key */
export function unsealBasicAuth(sealed: Buffer, domainId: number, masterKey: string): string {
  const plain = unseal(deriveKey(masterKey, 'database'), sealed, sealContext(domainId));
  if (!plain)
    throw new Error(`a password of an inbound route of domain ${domainId} was sealed by another secrets.key`);
  return plain.toString();
}

/** For api/models/sealed.ts; those of deleted routes too. */
export const sealedBasicAuth: SealedColumn = {
  table: 'inbound_routes',
  column: 'basic_auth_sealed',
  select: `
    select id, basic_auth_sealed as sealed, domain_id as "domainId"
      from inbound_routes
     where id > $1 and basic_auth_sealed is not null
     order by id
     limit $2
       for update`,
  contextOf: ({ domainId }) => sealContext(Number(domainId)),
};

export function sealBasicAuth(plain: string, domainId: number, masterKey: string): Buffer {
  return seal(deriveKey(masterKey, 'database'), plain, sealContext(domainId));
}

function sealContext(domainId: number): string {
  return `inbound_routes/${domainId}`;
}
