/** Sending domains. A name belongs to one organization; each domain has its own DKIM keys and tokens. */
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { findDkimKeys } from '../../lib/rpc/contracts/dkim-keys.ts';
import type { Queryable, Transaction } from '../database.ts';
import { activateDkimKey, createDkimKey, type KeyPair } from './dkim-key.ts';

export interface Domain {
  id: number;
  organizationId: number;
  name: string;
  label: string;
  dkimSelector: string;
  dkimRecord: string;
  dkimVerifiedAt: Date | null;
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

export type CreateDomainResult = { ok: true; domain: Domain } | { ok: false; reason: 'taken' };

const selectDomain = `
  select domain.id,
         domain.organization_id  as "organizationId",
         domain.name,
         domain.label,
         key.selector            as "dkimSelector",
         key.record              as "dkimRecord",
         domain.dkim_verified_at as "dkimVerifiedAt",
         domain.created_at       as "createdAt",
         domain.updated_at       as "updatedAt"
    from domains domain
    join dkim_keys key on key.domain_id = domain.id
                      and key.activated_at is not null
                      and key.retired_at is null`;

/** With its first DKIM key, which signs at once: mail is refused anyway until the record is published. */
export async function createDomain(
  tx: Transaction,
  { organizationId, name, label, isVerified }: NewDomain,
  keyPair: KeyPair,
  masterKey: string,
): Promise<CreateDomainResult> {
  const { rows } = await tx.query<{ id: number }>(
    `insert into domains (organization_id, name, label, dkim_verified_at)
          values ($1, $2, $3, case when $4::boolean then now() end)
     on conflict (name) do nothing
       returning id`,
    [organizationId, name, label, isVerified],
  );
  const [row] = rows;
  if (!row) return { ok: false, reason: 'taken' };
  const { selector } = await createDkimKey(tx, { id: row.id, name }, keyPair, masterKey);
  await activateDkimKey(tx, { id: row.id, name }, selector);
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
    `${selectDomain} where domain.id = $1 and domain.organization_id = $2`,
    [id, organizationId],
  );
  return rows[0];
}

export async function findDomainByName(db: Queryable, name: string): Promise<Domain | undefined> {
  const { rows } = await db.query<Domain>(`${selectDomain} where domain.name = $1`, [name]);
  return rows[0];
}

/** Oldest first. */
export async function listDomains(
  db: Queryable,
  { organizationId, limit, offset }: { organizationId: number; limit: number; offset: number },
): Promise<Domain[]> {
  const { rows } = await db.query<Domain>(
    `${selectDomain} where domain.organization_id = $1 order by domain.id limit $2 offset $3`,
    [organizationId, limit, offset],
  );
  return rows;
}

/** Notes that the DKIM record was seen in the DNS: from the commit on mail from the domain is taken. */
export async function verifyDomain(tx: Transaction, domainId: number): Promise<void> {
  const { rowCount } = await tx.query(
    `update domains
        set dkim_verified_at = now(), updated_at = now()
      where id = $1 and dkim_verified_at is null`,
    [domainId],
  );
  if (rowCount === 0) return;
  const { rows } = await tx.query<{ digest: string }>(
    'select digest from api_tokens where domain_id = $1 and revoked_at is null',
    [domainId],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
}
