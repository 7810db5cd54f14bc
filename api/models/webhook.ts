/**
 * The endpoints of a domain: where its owner wants to be told of what. An endpoint is on; or off, by its owner or
 * because it answered 410; and it may be failing, which changes how fast it is tried but not what it gets.
 */
import { randomBytes } from 'node:crypto';
import { deriveKey, seal, unseal } from '../../lib/secrets.ts';
import type { Queryable } from '../database.ts';
import type { SealedColumn } from './sealed.ts';
import { ensureWebhookKey } from './webhook-key.ts';

export const webhookEvents = [
  'email.queued',
  'email.delivered',
  'email.deferred',
  'email.bounced',
  'email.spam',
  'email.complained',
  'email.unsubscribed',
  'email.suppressed',
  'email.expired',
  'inbound.received',
  'organization.throttled',
  'organization.unthrottled',
  'organization.suspended',
  'organization.resumed',
] as const;
export type WebhookEvent = (typeof webhookEvents)[number];

/** As Standard Webhooks has it: 24 to 64 bytes. */
export const SECRET_BYTES = 32;

export interface Webhook {
  id: number;
  domainId: number;
  url: string;
  events: WebhookEvent[];
  description: string;
  /** Whom to tell by mail when it fails */
  notify: string | null;
  disabledAt: Date | null;
  disabledReason: 'owner' | 'gone' | null;
  /** It asked to be left alone until then (Retry-After). */
  pausedUntil: Date | null;
  /** Since the last success */
  failures: number;
  firstFailureAt: Date | null;
  failingAt: Date | null;
  oldSecretRetiresAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

export interface NewWebhook {
  url: string;
  events: WebhookEvent[];
  description: string;
  notify: string | null;
}

/** Names the endpoint within its domain: another's is not there (HK-17). */
export interface WebhookRef {
  id: number;
  domainId: number;
}

const columns = `
  id, url, events, description, notify, failures,
  domain_id             as "domainId",
  disabled_at           as "disabledAt",
  disabled_reason       as "disabledReason",
  paused_until          as "pausedUntil",
  first_failure_at      as "firstFailureAt",
  failing_at            as "failingAt",
  old_secret_retires_at as "oldSecretRetiresAt",
  created_at            as "createdAt",
  updated_at            as "updatedAt"`;
/** Not those of inbound routes (models/inbound-route.ts). */
const isListed = 'deleted_at is null and inbound_route_id is null';
const isRef = `id = $1 and domain_id = $2 and ${isListed}`;

/**
 * With its secret, which is shown this once; and the domain's key, if this is its first endpoint. Inside a transaction.
 * @returns undefined: the domain has `maxCount` of them
 */
export async function createWebhook(
  tx: Queryable,
  domainId: number,
  { url, events, description, notify }: NewWebhook,
  { maxCount, masterKey }: { maxCount: number; masterKey: string },
): Promise<{ webhook: Webhook; secret: Buffer } | undefined> {
  await ensureWebhookKey(tx, domainId, masterKey); // locks the domain: one counts at a time
  if ((await listWebhooks(tx, domainId)).length >= maxCount) return undefined;
  const secret = randomBytes(SECRET_BYTES);
  const { rows } = await tx.query<Webhook>(
    `insert into webhooks (domain_id, url, events, description, notify, secret_sealed)
          values ($1, $2, $3, $4, $5, $6)
       returning ${columns}`,
    [domainId, url, events, description, notify, sealSecret(secret, domainId, masterKey)],
  );
  const [webhook] = rows;
  if (!webhook) throw new Error('insert returned no row');
  return { webhook, secret };
}

export async function findWebhook(db: Queryable, { id, domainId }: WebhookRef): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook>(`select ${columns} from webhooks where ${isRef}`, [id, domainId]);
  return rows[0];
}

/** Oldest first. */
export async function listWebhooks(db: Queryable, domainId: number): Promise<Webhook[]> {
  const { rows } = await db.query<Webhook>(
    `select ${columns} from webhooks where domain_id = $1 and ${isListed} order by id`,
    [domainId],
  );
  return rows;
}

/** What is undefined stays. */
export async function changeWebhook(
  db: Queryable,
  { id, domainId }: WebhookRef,
  { url, events, description, notify }: { [Key in keyof NewWebhook]?: NewWebhook[Key] | undefined },
): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook>(
    `update webhooks
        set url         = coalesce($3, url),
            events      = coalesce($4, events),
            description = coalesce($5, description),
            notify      = case when $6::boolean then $7 else notify end,
            updated_at  = now()
      where ${isRef}
  returning ${columns}`,
    [id, domainId, url, events, description, notify !== undefined, notify],
  );
  return rows[0];
}

/** What waits for it is not sent any more, and goes with the rest when its time is over. */
export async function deleteWebhook(
  db: Queryable,
  { id, domainId }: WebhookRef,
): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook>(
    `update webhooks set deleted_at = now() where ${isRef} returning ${columns}`,
    [id, domainId],
  );
  return rows[0];
}

/** On, as if it had never failed. What waits is sent at its time; what it asked to wait for is forgotten. */
export async function enableWebhook(
  db: Queryable,
  { id, domainId }: WebhookRef,
): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook>(
    `update webhooks
        set disabled_at = null, disabled_reason = null, paused_until = null,
            failures = 0, first_failure_at = null, failing_at = null, updated_at = now()
      where ${isRef}
  returning ${columns}`,
    [id, domainId],
  );
  return rows[0];
}

/** Off, by its owner: events of this time are not kept for it. What waits already is kept. */
export async function disableWebhook(
  db: Queryable,
  { id, domainId }: WebhookRef,
): Promise<Webhook | undefined> {
  const { rows } = await db.query<Webhook>(
    `update webhooks
        set disabled_at = now(), disabled_reason = 'owner', updated_at = now()
      where ${isRef}
  returning ${columns}`,
    [id, domainId],
  );
  return rows[0];
}

/** A new secret, shown this once; the one before is good for `overlapSeconds` more. */
export async function rotateWebhookSecret(
  db: Queryable,
  { id, domainId }: WebhookRef,
  overlapSeconds: number,
  masterKey: string,
): Promise<{ webhook: Webhook; secret: Buffer } | undefined> {
  const secret = randomBytes(SECRET_BYTES);
  const { rows } = await db.query<Webhook>(
    `update webhooks
        set old_secret_sealed     = secret_sealed,
            old_secret_retires_at = now() + make_interval(secs => $3),
            secret_sealed         = $4,
            updated_at            = now()
      where ${isRef}
  returning ${columns}`,
    [id, domainId, overlapSeconds, sealSecret(secret, domainId, masterKey)],
  );
  return rows[0] && { webhook: rows[0], secret };
}

/** @throws when it was sealed by another master key */
export function unsealSecret(sealed: Buffer, domainId: number, masterKey: string): Buffer {
  const secret = unseal(deriveKey(masterKey, 'database'), sealed, sealContext(domainId));
  if (!secret) throw new Error(`a webhook secret of domain ${domainId} was sealed by another secrets.key`);
  return secret;
}

/** As `secret_sealed` holds it. */
export function sealSecret(secret: Buffer, domainId: number, masterKey: string): Buffer {
  return seal(deriveKey(masterKey, 'database'), secret, sealContext(domainId));
}

/**
 * For api/models/sealed.ts; those of deleted endpoints too. In this order: a rotation of a secret moves it from the first
 * column to the second.
 */
export const sealedWebhookSecrets = [sealedSecret('secret_sealed'), sealedSecret('old_secret_sealed')];

function sealedSecret(column: 'secret_sealed' | 'old_secret_sealed'): SealedColumn {
  return {
    table: 'webhooks',
    column,
    select: `
      select id, ${column} as sealed, domain_id as "domainId"
        from webhooks
       where id > $1 and ${column} is not null
       order by id
       limit $2
         for update`,
    contextOf: ({ domainId }) => sealContext(Number(domainId)),
  };
}

function sealContext(domainId: number): string {
  return `webhooks/${domainId}`;
}
