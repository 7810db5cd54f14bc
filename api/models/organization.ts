import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import type { Queryable, Transaction } from '../database.ts';

export interface Organization {
  id: number;
  name: string;
  suspendedAt: Date | null;
  createdAt: Date;
}

const columns = 'id, name, suspended_at as "suspendedAt", created_at as "createdAt"';

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

/** No message of it is taken any more, by any service; what was accepted before goes out. False: there is none. */
export async function suspendOrganization(tx: Transaction, id: number): Promise<boolean> {
  const { rowCount } = await tx.query(
    'update organizations set suspended_at = coalesce(suspended_at, now()) where id = $1',
    [id],
  );
  await forgetCredentials(tx, id);
  return rowCount === 1;
}

/** Takes a suspension back. False: there is no such organization. */
export async function resumeOrganization(tx: Transaction, id: number): Promise<boolean> {
  const { rowCount } = await tx.query('update organizations set suspended_at = null where id = $1', [id]);
  await forgetCredentials(tx, id);
  return rowCount === 1;
}

/** Of its messages a minute; null: what the settings say. False: there is no such organization. */
export async function limitOrganization(
  tx: Transaction,
  id: number,
  messagesPerMinute: number | null,
): Promise<boolean> {
  const { rowCount } = await tx.query('update organizations set messages_per_minute = $2 where id = $1', [
    id,
    messagesPerMinute,
  ]);
  await forgetCredentials(tx, id);
  return rowCount === 1;
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
