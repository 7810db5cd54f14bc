/** Organizations: our customers, their limits, and whether they may send. */
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import type { Queryable, Transaction } from '../database.ts';

export interface OrganizationTerms {
  /** Messages older than that are removed. */
  retentionDays: number;
  /** Null: no limit */
  maxDomains: number | null;
  /** Null: as the settings say */
  messagesPerMinute: number | null;
  /** From which on a message is marked, held for review, refused (docs/spam.md). Null: as the settings say */
  spamMarkScore: number | null;
  spamHoldScore: number | null;
  spamRefuseScore: number | null;
  /** All its mail leaves over TLS with a certificate that holds, or not at all. */
  requiresTls: boolean;
  /** Address that is told of what happens to the organization */
  contact: string | null;
  /** Whether envelope senders of mail by SMTP are told by mail of what fails or is late */
  bounceMail: boolean;
}

/** Why an operator, or the abuse guard, lets an organization send nothing. */
export interface Suspension {
  kind: 'operator' | 'abuse' | 'no_plan';
  reason: string | null;
}

export interface Organization extends OrganizationTerms {
  id: number;
  name: string;
  suspendedAt: Date | null;
  suspensionKind: Suspension['kind'] | null;
  suspensionReason: string | null;
  /** Messages per minute, while the abuse guard slows it down */
  throttledTo: number | null;
  throttleReason: string | null;
  createdAt: Date;
}

/** What is not named stays as it is, or as the database has it by default. */
export type OrganizationChanges = {
  [Key in keyof OrganizationTerms | 'name']?: Organization[Key] | undefined;
};

const columns = `
  id, name, contact,
  bounce_mail         as "bounceMail",
  suspended_at        as "suspendedAt",
  suspension_kind     as "suspensionKind",
  suspension_reason   as "suspensionReason",
  throttled_to        as "throttledTo",
  throttle_reason     as "throttleReason",
  retention_days      as "retentionDays",
  max_domains         as "maxDomains",
  messages_per_minute as "messagesPerMinute",
  spam_mark_score     as "spamMarkScore",
  spam_hold_score     as "spamHoldScore",
  spam_refuse_score   as "spamRefuseScore",
  requires_tls        as "requiresTls",
  created_at          as "createdAt"`;

/** @param name 1 to 200 characters */
export async function createOrganization(db: Queryable, name: string): Promise<Organization> {
  const { rows } = await db.query<Organization>(
    `insert into organizations (name) values ($1) returning ${columns}`,
    [name],
  );
  const [organization] = rows;
  if (!organization) throw new Error('insert returned no row');
  return organization;
}

export async function findOrganization(db: Queryable, id: number): Promise<Organization | undefined> {
  const { rows } = await db.query<Organization>(`select ${columns} from organizations where id = $1`, [id]);
  return rows[0];
}

/** It may send nothing, whoever has decided that. */
export async function isSuspended(db: Queryable, id: number): Promise<boolean> {
  const { rowCount } = await db.query(
    'select from organizations where id = $1 and suspended_at is not null',
    [id],
  );
  return rowCount === 1;
}

/** Newest first. @param before only those older than this id. @param suspended only those, or only the others */
export async function listOrganizations(
  db: Queryable,
  {
    before,
    limit,
    suspended,
  }: { before?: number | undefined; limit: number; suspended?: boolean | undefined },
): Promise<Organization[]> {
  const { rows } = await db.query<Organization>(
    `select ${columns}
       from organizations
      where ($1::bigint is null or id < $1) and ($3::boolean is null or (suspended_at is not null) = $3)
      order by id desc
      limit $2`,
    [before ?? null, limit, suspended ?? null],
  );
  return rows;
}

/** Undefined: there is none. */
export async function updateOrganization(
  tx: Transaction,
  id: number,
  changes: OrganizationChanges,
): Promise<Organization | undefined> {
  const { name, retentionDays, maxDomains, messagesPerMinute } = changes;
  const { spamMarkScore, spamHoldScore, spamRefuseScore, contact, requiresTls, bounceMail } = changes;
  const { rows } = await tx.query<Organization>(
    `update organizations
        set name                = coalesce($2, name),
            retention_days      = coalesce($3, retention_days),
            max_domains         = case when $4::boolean then $5 else max_domains end,
            messages_per_minute = case when $6::boolean then $7 else messages_per_minute end,
            spam_mark_score     = case when $8::boolean then $9 else spam_mark_score end,
            spam_hold_score     = case when $10::boolean then $11 else spam_hold_score end,
            spam_refuse_score   = case when $12::boolean then $13 else spam_refuse_score end,
            contact             = case when $14::boolean then $15 else contact end,
            requires_tls        = coalesce($16, requires_tls),
            bounce_mail         = coalesce($17, bounce_mail)
      where id = $1
  returning ${columns}`,
    [
      ...[id, name ?? null, retentionDays ?? null],
      ...[maxDomains !== undefined, maxDomains ?? null],
      ...[messagesPerMinute !== undefined, messagesPerMinute ?? null],
      ...[spamMarkScore !== undefined, spamMarkScore ?? null],
      ...[spamHoldScore !== undefined, spamHoldScore ?? null],
      ...[spamRefuseScore !== undefined, spamRefuseScore ?? null],
      ...[contact !== undefined, contact ?? null],
      requiresTls ?? null,
      bounceMail ?? null,
    ],
  );
  if (messagesPerMinute !== undefined) await forgetCredentials(tx, id);
  return rows[0];
}

/** No message of it is taken any more, by any service; what was accepted before goes out. Undefined: there is none. */
export async function suspendOrganization(
  tx: Transaction,
  id: number,
  { kind, reason }: Suspension,
): Promise<Organization | undefined> {
  const { rows } = await tx.query<Organization>(
    `update organizations
        set suspended_at = coalesce(suspended_at, now()), suspension_kind = $2, suspension_reason = $3
      where id = $1
  returning ${columns}`,
    [id, kind, reason],
  );
  await forgetCredentials(tx, id);
  return rows[0];
}

/** Takes a suspension and a throttle back; what its mail did before is forgiven. Undefined: there is no such organization. */
export async function resumeOrganization(tx: Transaction, id: number): Promise<Organization | undefined> {
  const { rows } = await tx.query<Organization>(
    `update organizations
        set suspended_at = null, suspension_kind = null, suspension_reason = null,
            throttled_at = null, throttled_to = null, throttle_reason = null,
            outcomes_count_from = now()
      where id = $1
  returning ${columns}`,
    [id],
  );
  await forgetCredentials(tx, id);
  return rows[0];
}

/** By the abuse guard. Undefined: it is throttled or suspended already. */
export async function throttleOrganization(
  tx: Transaction,
  id: number,
  { messagesPerMinute, reason }: { messagesPerMinute: number; reason: string },
): Promise<Organization | undefined> {
  const { rows } = await tx.query<Organization>(
    `update organizations
        set throttled_at = now(), throttled_to = $2, throttle_reason = $3
      where id = $1 and throttled_at is null and suspended_at is null
  returning ${columns}`,
    [id, messagesPerMinute, reason],
  );
  return rows[0];
}

/** Undefined: it is not throttled, or suspended. */
export async function liftThrottle(tx: Transaction, id: number): Promise<Organization | undefined> {
  const { rows } = await tx.query<Organization>(
    `update organizations
        set throttled_at = null, throttled_to = null, throttle_reason = null
      where id = $1 and throttled_at is not null and suspended_at is null
  returning ${columns}`,
    [id],
  );
  return rows[0];
}

/** False: somebody has suspended it. Until the end of the transaction nobody else does. */
export async function lockIfSending(tx: Transaction, id: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    'select from organizations where id = $1 and suspended_at is null for no key update',
    [id],
  );
  return rowCount === 1;
}

/** For metrics: how many are slowed down, and how many may not send. */
export async function countRestricted(db: Queryable): Promise<{ throttled: number; suspended: number }> {
  const { rows } = await db.query<{ throttled: number; suspended: number }>(
    `select count(*) filter (where throttled_at is not null and suspended_at is null) as throttled,
            count(*) filter (where suspended_at is not null)                          as suspended
       from organizations`,
  );
  return rows[0] ?? { throttled: 0, suspended: 0 };
}

/** Whether it may have one more. Locks its row, so that of two that ask at the same time one waits. */
export async function mayAddDomain(tx: Transaction, organizationId: number): Promise<boolean> {
  const { rows } = await tx.query<{ maxDomains: number | null }>(
    'select max_domains as "maxDomains" from organizations where id = $1 for no key update',
    [organizationId],
  );
  const limit = rows[0]?.maxDomains ?? null;
  if (limit === null) return true;
  const { rows: counts } = await tx.query<{ count: number }>(
    'select count(*) from domains where organization_id = $1 and deleted_at is null',
    [organizationId],
  );
  return (counts[0]?.count ?? 0) < limit;
}

async function forgetCredentials(tx: Transaction, organizationId: number): Promise<void> {
  const { rows } = await tx.query<{ digest: string }>(
    `select digest
       from api_tokens
      where organization_id = $1 and kind = 'domain' and revoked_at is null`,
    [organizationId],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
}
