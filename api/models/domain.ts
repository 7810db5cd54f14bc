/** Sending domains. A name belongs to one organization; each domain has its own DKIM keys and tokens. */
import { findDkimKeys } from '../../lib/rpc/contracts/dkim-keys.ts';
import type { Queryable, Transaction } from '../database.ts';
import { activateDkimKey, createDkimKey, renameDkimKeys } from './dkim-key.ts';
import type { FirstKeyPairs } from './dkim-key-pair.ts';
import { forgetCredentials } from './domain-lifecycle.ts';
import { countMailUnderWay } from './mail-under-way.ts';
import { mayAddDomain } from './organization.ts';
import { ensureWebhookKey } from './webhook-key.ts';

export interface Domain {
  id: number;
  organizationId: number;
  name: string;
  label: string;
  dkimSelector: string;
  dkimRecord: string;
  dkimVerifiedAt: Date | null;
  /** When the CNAME of its return path was seen (contract 5, advanced verification) */
  returnPathVerifiedAt: Date | null;
  /** The raw 32 bytes in base64; null for a domain from before there were webhooks, until it has one */
  webhookPublicKey: string | null;
  /** All its mail leaves over TLS with a certificate that holds, or not at all. */
  requiresTls: boolean;
  createdAt: Date;
  updatedAt: Date;
}

export interface NewDomain {
  organizationId: number;
  /** Lower case, in A-labels (lib/mail/address.ts normalizeDomain) */
  name: string;
  label: string;
  isVerified: boolean;
}

export type CreateDomainResult = { ok: true; domain: Domain } | { ok: false; reason: 'taken' | 'too_many' };

const selectDomain = `
  select domain.id,
         domain.organization_id         as "organizationId",
         domain.name,
         domain.label,
         key.selector                   as "dkimSelector",
         key.record                     as "dkimRecord",
         domain.dkim_verified_at        as "dkimVerifiedAt",
         domain.return_path_verified_at as "returnPathVerifiedAt",
         (select public_key from webhook_keys
           where domain_id = domain.id and (retires_at is null or retires_at > now())
           order by id limit 1)         as "webhookPublicKey",
         domain.requires_tls            as "requiresTls",
         domain.created_at              as "createdAt",
         domain.updated_at              as "updatedAt"
    from domains domain
    join dkim_keys key on key.domain_id = domain.id
                      and key.algorithm = 'rsa-sha256'
                      and key.activated_at is not null
                      and key.retired_at is null
   where domain.deleted_at is null`;

/** The columns that lists are sorted by; all else in a request is refused by its schema. */
const sortColumns = {
  created_at: 'domain.created_at',
  id: 'domain.id',
  name: "lower(coalesce(nullif(domain.label, ''), domain.name))",
} as const;

export interface DomainQuery {
  organizationId: number;
  limit: number;
  offset: number;
  sort: keyof typeof sortColumns;
  direction: 'asc' | 'desc';
}

/**
 * With its first DKIM keys: RSA signs at once, mail is refused anyway until its record is published; Ed25519 waits until
 * a verification sees its own. And with the key of its webhooks.
 */
export async function createDomain(
  tx: Transaction,
  { organizationId, name, label, isVerified }: NewDomain,
  { rsa, ed25519 }: FirstKeyPairs,
  masterKey: string,
): Promise<CreateDomainResult> {
  if (!(await mayAddDomain(tx, organizationId))) return { ok: false, reason: 'too_many' };
  const { rows } = await tx.query<{ id: number }>(
    `insert into domains (organization_id, name, label, dkim_verified_at)
          values ($1, $2, $3, case when $4::boolean then now() end)
     on conflict do nothing
       returning id`,
    [organizationId, name, label, isVerified],
  );
  const [row] = rows;
  if (!row) return { ok: false, reason: 'taken' };
  const { selector } = await createDkimKey(tx, { id: row.id, name }, rsa, masterKey);
  await activateDkimKey(tx, { id: row.id, name }, selector);
  await createDkimKey(tx, { id: row.id, name }, ed25519, masterKey);
  await ensureWebhookKey(tx, row.id, masterKey);
  await tx.invalidate(findDkimKeys, { name });
  const domain = await findDomain(tx, { id: row.id, organizationId });
  if (!domain) throw new Error('the domain that was just made is not there');
  return { ok: true, domain };
}

export async function findDomain(
  db: Queryable,
  { id, organizationId }: { id: number; organizationId: number },
): Promise<Domain | undefined> {
  const { rows } = await db.query<Domain>(
    `${selectDomain} and domain.id = $1 and domain.organization_id = $2`,
    [id, organizationId],
  );
  return rows[0];
}

export async function findDomainByName(db: Queryable, name: string): Promise<Domain | undefined> {
  const { rows } = await db.query<Domain>(`${selectDomain} and domain.name = $1`, [name]);
  return rows[0];
}

export async function listDomains(
  db: Queryable,
  { organizationId, limit, offset, sort, direction }: DomainQuery,
): Promise<Domain[]> {
  const order = direction === 'asc' ? 'asc' : 'desc';
  const { rows } = await db.query<Domain>(
    `${selectDomain} and domain.organization_id = $1
      order by ${sortColumns[sort]} ${order}, domain.id ${order}
      limit $2 offset $3`,
    [organizationId, limit, offset],
  );
  return rows;
}

export type UpdateDomainResult =
  | { ok: true; domain: Domain }
  | { ok: false; reason: 'not_found' | 'taken' | 'under_way' };

export interface DomainChanges {
  name?: string | undefined;
  label?: string | undefined;
  /** For messages that are handed to the mta from the commit on. */
  requiresTls?: boolean | undefined;
}

/**
 * Changes the label, what is asked of TLS, and the name. A domain with another name is another domain to the world: it has to be verified
 * again, and it does not leave mail behind that nothing could sign.
 */
export async function updateDomain(
  tx: Transaction,
  ids: { id: number; organizationId: number },
  { name, label, requiresTls }: DomainChanges,
  masterKey: string,
): Promise<UpdateDomainResult> {
  // Accepting a message locks the row too, by its foreign key.
  await tx.query('select id from domains where id = $1 and organization_id = $2 for update', [
    ids.id,
    ids.organizationId,
  ]);
  const domain = await findDomain(tx, ids);
  if (!domain) return { ok: false, reason: 'not_found' };
  if (name !== undefined && name !== domain.name) {
    const refusal = await renameDomain(tx, domain, name, masterKey);
    if (refusal) return { ok: false, reason: refusal };
  }
  if (label !== undefined) {
    await tx.query('update domains set label = $2, updated_at = now() where id = $1', [ids.id, label]);
  }
  if (requiresTls !== undefined) {
    await tx.query('update domains set requires_tls = $2, updated_at = now() where id = $1', [
      ids.id,
      requiresTls,
    ]);
  }
  const updated = await findDomain(tx, ids);
  return updated ? { ok: true, domain: updated } : { ok: false, reason: 'not_found' };
}

async function renameDomain(
  tx: Transaction,
  { id, name }: Domain,
  newName: string,
  masterKey: string,
): Promise<'taken' | 'under_way' | undefined> {
  if ((await countMailUnderWay(tx, id)) > 0) return 'under_way';
  const { rowCount } = await tx.query('select from domains where name = $1 and deleted_at is null', [
    newName,
  ]);
  if (rowCount !== 0) return 'taken';
  await tx.query(
    `update domains
        set name = $2, dkim_verified_at = null, return_path_verified_at = null, updated_at = now()
      where id = $1`,
    [id, newName],
  );
  await renameDkimKeys(tx, { id, name, newName }, masterKey);
  await forgetCredentials(tx, id);
  return undefined;
}
