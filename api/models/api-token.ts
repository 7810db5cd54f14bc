/** API tokens: who a caller is. Only digests are stored, so a token is shown once, when it is made. */
import { randomBytes } from 'node:crypto';
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { digestToken } from '../../lib/secrets.ts';
import type { Queryable, Transaction } from '../database.ts';

const TOKEN_BYTES = 32;

export interface ApiToken {
  id: number;
  name: string;
  createdAt: Date;
}

/** A domain's token: may send from this domain, and see its messages. */
export interface DomainCredential {
  tokenId: number;
  organizationId: number;
  domainId: number;
  domain: string;
  isSuspended: boolean;
  isVerified: boolean;
}

/** An organization's token: may manage its domains. */
export interface OrganizationCredential {
  tokenId: number;
  organizationId: number;
}

const columns = 'id, name, created_at as "createdAt"';

export async function createDomainToken(
  db: Queryable,
  { organizationId, domainId, name }: { organizationId: number; domainId: number; name: string },
): Promise<ApiToken & { token: string }> {
  return insertToken(db, 'domain', organizationId, domainId, name);
}

export async function createOrganizationToken(
  db: Queryable,
  { organizationId, name }: { organizationId: number; name: string },
): Promise<ApiToken & { token: string }> {
  return insertToken(db, 'organization', organizationId, null, name);
}

/** By the digest of the token, or by the token's id. Undefined: unknown or revoked. */
export async function findDomainCredential(
  db: Queryable,
  by: { digest: string } | { tokenId: number },
): Promise<DomainCredential | undefined> {
  const [column, value] = 'digest' in by ? ['digest', by.digest] : ['id', by.tokenId];
  const { rows } = await db.query<DomainCredential>(
    `select token.id                             as "tokenId",
            domain.organization_id               as "organizationId",
            domain.id                            as "domainId",
            domain.name                          as domain,
            organization.suspended_at is not null as "isSuspended",
            domain.dkim_verified_at is not null  as "isVerified"
       from api_tokens token
       join domains domain             on domain.id = token.domain_id
       join organizations organization on organization.id = domain.organization_id
      where token.${column} = $1 and token.kind = 'domain' and token.revoked_at is null`,
    [value],
  );
  return rows[0];
}

export async function findOrganizationCredential(
  db: Queryable,
  digest: string,
): Promise<OrganizationCredential | undefined> {
  const { rows } = await db.query<OrganizationCredential>(
    `select id as "tokenId", organization_id as "organizationId"
       from api_tokens
      where digest = $1 and kind = 'organization' and revoked_at is null`,
    [digest],
  );
  return rows[0];
}

/** Why this credential may not send at the moment, in the contract's words (1.3); null when it may. */
export function refusalOf({ isSuspended, isVerified }: DomainCredential): string | null {
  if (isSuspended) return 'This organization is unable to send emails. Please contact support';
  if (!isVerified) return 'Domain DKIM DNS not verified, please complete DKIM Verification';
  return null;
}

/** The tokens of a domain that are not revoked, oldest first. */
export async function listDomainTokens(db: Queryable, domainId: number): Promise<ApiToken[]> {
  const { rows } = await db.query<ApiToken>(
    `select ${columns} from api_tokens where domain_id = $1 and revoked_at is null order by id`,
    [domainId],
  );
  return rows;
}

/** From the commit on nobody sends with it. False: the domain has no such token. */
export async function revokeDomainToken(
  tx: Transaction,
  { domainId, tokenId }: { domainId: number; tokenId: number },
): Promise<boolean> {
  const { rows } = await tx.query<{ digest: string }>(
    `update api_tokens
        set revoked_at = coalesce(revoked_at, now())
      where id = $1 and domain_id = $2
  returning digest`,
    [tokenId, domainId],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
  return rows.length === 1;
}

async function insertToken(
  db: Queryable,
  kind: 'domain' | 'organization',
  organizationId: number,
  domainId: number | null,
  name: string,
): Promise<ApiToken & { token: string }> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const { rows } = await db.query<ApiToken>(
    `insert into api_tokens (kind, organization_id, domain_id, name, digest)
          values ($1, $2, $3, $4, $5)
       returning ${columns}`,
    [kind, organizationId, domainId, name, digestToken(token)],
  );
  const [row] = rows;
  if (!row) throw new Error('insert returned no row');
  return { ...row, token };
}
