/** What becomes of a domain: verified, and deleted. */
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { findDkimKeys } from '../../lib/rpc/contracts/dkim-keys.ts';
import type { Transaction } from '../database.ts';
import { countMailUnderWay } from './mail-under-way.ts';

/** Notes that the DKIM record was seen in the DNS: from the commit on mail from the domain is taken. */
export async function verifyDomain(tx: Transaction, domainId: number): Promise<void> {
  const { rowCount } = await tx.query(
    `update domains
        set dkim_verified_at = now(), updated_at = now()
      where id = $1 and dkim_verified_at is null`,
    [domainId],
  );
  if (rowCount !== 0) await forgetCredentials(tx, domainId);
}

/** Notes whether the CNAME of the return path is in the DNS. */
export async function noteReturnPath(tx: Transaction, domainId: number, isPublished: boolean): Promise<void> {
  await tx.query(
    `update domains
        set return_path_verified_at = case when $2::boolean then now() end, updated_at = now()
      where id = $1 and (return_path_verified_at is not null) <> $2::boolean`,
    [domainId, isPublished],
  );
}

export type DeleteDomainResult =
  | { ok: true; name: string }
  | { ok: false; reason: 'not_found' }
  | { ok: false; reason: 'under_way'; messages: number };

/**
 * From the commit on nobody sends with the domain, its private keys are gone, and its name is free. Its messages stay
 * for as long as the organization keeps messages. Refused while some of them are under way: nothing could sign them.
 */
export async function deleteDomain(
  tx: Transaction,
  { id, organizationId }: { id: number; organizationId: number },
): Promise<DeleteDomainResult> {
  // Accepting a message locks the domain's row too, by its foreign key: what is accepted meanwhile is counted below.
  const { rows } = await tx.query<{ name: string }>(
    'select name from domains where id = $1 and organization_id = $2 and deleted_at is null for update',
    [id, organizationId],
  );
  const [domain] = rows;
  if (!domain) return { ok: false, reason: 'not_found' };
  const messages = await countMailUnderWay(tx, id);
  if (messages > 0) return { ok: false, reason: 'under_way', messages };
  await forgetCredentials(tx, id);
  await tx.query('update api_tokens set revoked_at = now() where domain_id = $1 and revoked_at is null', [
    id,
  ]);
  await tx.query('delete from dkim_keys where domain_id = $1', [id]);
  await tx.query('update domains set deleted_at = now(), updated_at = now() where id = $1', [id]);
  await tx.invalidate(findDkimKeys, { name: domain.name });
  return { ok: true, name: domain.name };
}

/** Every service asks again who may send for the domain. */
export async function forgetCredentials(tx: Transaction, domainId: number): Promise<void> {
  const { rows } = await tx.query<{ digest: string }>(
    'select digest from api_tokens where domain_id = $1 and revoked_at is null',
    [domainId],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
}
