/** API tokens: who a caller is. Only digests are stored, so a token is shown once, when it is made. */
import { randomBytes } from 'node:crypto';
import type { AccessRule } from '../../lib/access.ts';
import { findCredential } from '../../lib/rpc/contracts/credentials.ts';
import { digestToken } from '../../lib/secrets.ts';
import type { Queryable, Transaction } from '../database.ts';

const TOKEN_BYTES = 32;

export interface ApiToken {
  id: number;
  name: string;
  /** Null: all that the kind can (models/scope.ts) */
  scopes: string[] | null;
  /** In CIDR notation; empty: from anywhere */
  allowedNetworks: string[];
  expiresAt: Date | null;
  /** Its mail never leaves (models/sandbox.ts). */
  isSandbox: boolean;
  /** To the minute */
  lastUsedAt: Date | null;
  createdAt: Date;
}

/** What may be said about a token when it is made, and later. */
export type TokenTerms = Partial<Pick<ApiToken, 'name' | 'scopes' | 'allowedNetworks' | 'expiresAt'>>;

/** Where, until when and for what a token may be used, whatever its kind. */
export interface TokenRule extends AccessRule {
  tokenId: number;
  scopes: string[] | null;
}

/** A domain's token: may send from this domain, and see its messages. */
export interface DomainCredential extends TokenRule {
  organizationId: number;
  domainId: number;
  domain: string;
  /** Of the organization; null: it may send */
  suspension: 'operator' | 'abuse' | 'no_plan' | null;
  isVerified: boolean;
  isSandbox: boolean;
  /** Of the organization; null: as the settings say */
  messagesPerMinute: number | null;
}

/** An organization's token: may manage its domains. */
export interface OrganizationCredential extends TokenRule {
  organizationId: number;
}

/** An operator's token: may manage all organizations. */
export type OperatorCredential = TokenRule;

const columns = `
  id, name, scopes,
  allowed_networks as "allowedNetworks",
  expires_at       as "expiresAt",
  is_sandbox       as "isSandbox",
  last_used_at     as "lastUsedAt",
  created_at       as "createdAt"`;

/** Of the table under the alias `token`. */
const ruleColumns = `
  token.id               as "tokenId",
  token.scopes,
  token.allowed_networks as "allowedNetworks",
  to_char(token.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "expiresAt"`;

const isAlive = 'token.revoked_at is null and (token.expires_at is null or token.expires_at > now())';

export async function createDomainToken(
  db: Queryable,
  {
    organizationId,
    domainId,
    ...terms
  }: { organizationId: number; domainId: number; isSandbox?: boolean } & TokenTerms,
): Promise<ApiToken & { token: string }> {
  return insertToken(db, 'domain', organizationId, domainId, terms);
}

export async function createOrganizationToken(
  db: Queryable,
  { organizationId, ...terms }: { organizationId: number } & TokenTerms,
): Promise<ApiToken & { token: string }> {
  return insertToken(db, 'organization', organizationId, null, terms);
}

export async function createOperatorToken(
  db: Queryable,
  terms: TokenTerms,
): Promise<ApiToken & { token: string }> {
  return insertToken(db, 'operator', null, null, terms);
}

/** By the digest of the token, or by the token's id. Undefined: unknown, revoked or expired. */
export async function findDomainCredential(
  db: Queryable,
  by: { digest: string } | { tokenId: number },
): Promise<DomainCredential | undefined> {
  const [column, value] = 'digest' in by ? ['digest', by.digest] : ['id', by.tokenId];
  const { rows } = await db.query<DomainCredential>({
    name: `find_domain_credential_by_${column}`,
    text: `select ${ruleColumns},
            domain.organization_id                as "organizationId",
            domain.id                             as "domainId",
            domain.name                           as domain,
            organization.suspension_kind          as "suspension",
            domain.dkim_verified_at is not null   as "isVerified",
            token.is_sandbox                      as "isSandbox",
            least(organization.messages_per_minute, organization.throttled_to) as "messagesPerMinute"
       from api_tokens token
       join domains domain             on domain.id = token.domain_id
       join organizations organization on organization.id = domain.organization_id
      where token.${column} = $1 and token.kind = 'domain' and ${isAlive}`,
    values: [value],
  });
  return rows[0];
}

/** By which mails of Postern's own leave from a domain of this installation: that of its oldest token. */
export async function findNotificationCredential(
  db: Queryable,
  domain: string,
): Promise<DomainCredential | undefined> {
  const { rows } = await db.query<{ id: number }>(
    `select token.id
       from api_tokens token
       join domains domain on domain.id = token.domain_id
      where domain.name = $1 and token.revoked_at is null and not token.is_sandbox
      order by token.id
      limit 1`,
    [domain],
  );
  return rows[0] && findDomainCredential(db, { tokenId: rows[0].id });
}

export async function findOrganizationCredential(
  db: Queryable,
  digest: string,
): Promise<OrganizationCredential | undefined> {
  const { rows } = await db.query<OrganizationCredential>(
    `select ${ruleColumns}, token.organization_id as "organizationId"
       from api_tokens token
      where token.digest = $1 and token.kind = 'organization' and ${isAlive}`,
    [digest],
  );
  return rows[0];
}

export async function findOperatorCredential(
  db: Queryable,
  digest: string,
): Promise<OperatorCredential | undefined> {
  const { rows } = await db.query<OperatorCredential>(
    `select ${ruleColumns}
       from api_tokens token
      where token.digest = $1 and token.kind = 'operator' and ${isAlive}`,
    [digest],
  );
  return rows[0];
}

/** Why this credential may not send at the moment, in the contract's words (1.3); null when it may. */
export function refusalOf({ suspension, isVerified, isSandbox }: DomainCredential): string | null {
  if (suspension === 'no_plan') return 'The organization that owns this domain does not have an active plan';
  if (suspension) return 'This organization is unable to send emails. Please contact support';
  if (!isVerified && !isSandbox) return 'Domain DKIM DNS not verified, please complete DKIM Verification';
  return null;
}

/** Whose tokens: a domain's, an organization's own, or the operators'. */
export type TokenOwner = { domainId: number } | { organizationId: number } | 'operator';

/** The tokens that are not revoked, oldest first. */
export async function listTokens(db: Queryable, owner: TokenOwner): Promise<ApiToken[]> {
  const { condition, values } = ownedBy(owner);
  const { rows } = await db.query<ApiToken>(
    `select ${columns} from api_tokens where ${condition} and revoked_at is null order by id`,
    values,
  );
  return rows;
}

/** Undefined: the owner has no such token, or it was revoked. */
export async function findToken(
  db: Queryable,
  owner: TokenOwner,
  tokenId: number,
): Promise<ApiToken | undefined> {
  const { condition, values } = ownedBy(owner);
  const { rows } = await db.query<ApiToken>(
    `select ${columns} from api_tokens where ${condition} and id = $2 and revoked_at is null`,
    [...values, tokenId],
  );
  return rows[0];
}

/** Changes what is named in `terms`; from the commit on every service goes by it. Undefined: there is no such token. */
export async function updateToken(
  tx: Transaction,
  owner: TokenOwner,
  tokenId: number,
  terms: TokenTerms,
): Promise<ApiToken | undefined> {
  const { condition, values } = ownedBy(owner);
  const { rows } = await tx.query<ApiToken & { digest: string }>(
    `update api_tokens
        set name             = coalesce($3, name),
            scopes           = case when $4::boolean then $5::text[] else scopes end,
            allowed_networks = coalesce($6::text[], allowed_networks),
            expires_at       = case when $7::boolean then $8::timestamptz else expires_at end
      where ${condition} and id = $2 and revoked_at is null
  returning digest, ${columns}`,
    [
      ...values,
      tokenId,
      terms.name ?? null,
      terms.scopes !== undefined,
      terms.scopes ?? null,
      terms.allowedNetworks ?? null,
      terms.expiresAt !== undefined,
      terms.expiresAt ?? null,
    ],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
  return rows[0];
}

/** From the commit on nobody gets in with it. Undefined: the owner has no such token, or it was revoked before. */
export async function revokeToken(
  tx: Transaction,
  owner: TokenOwner,
  tokenId: number,
): Promise<ApiToken | undefined> {
  const { condition, values } = ownedBy(owner);
  const { rows } = await tx.query<ApiToken & { digest: string }>(
    `update api_tokens
        set revoked_at = now()
      where ${condition} and id = $2 and revoked_at is null
  returning digest, ${columns}`,
    [...values, tokenId],
  );
  for (const { digest } of rows) await tx.invalidate(findCredential, { digest });
  return rows[0];
}

/** `condition` takes one value, $1. */
function ownedBy(owner: TokenOwner): { condition: string; values: (number | string)[] } {
  if (owner === 'operator') return { condition: 'kind = $1', values: ['operator'] };
  if ('domainId' in owner) return { condition: 'domain_id = $1', values: [owner.domainId] };
  return { condition: "kind = 'organization' and organization_id = $1", values: [owner.organizationId] };
}

async function insertToken(
  db: Queryable,
  kind: 'domain' | 'organization' | 'operator',
  organizationId: number | null,
  domainId: number | null,
  {
    name = '',
    scopes = null,
    allowedNetworks = [],
    expiresAt = null,
    isSandbox = false,
  }: TokenTerms & { isSandbox?: boolean },
): Promise<ApiToken & { token: string }> {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const { rows } = await db.query<ApiToken>(
    `insert into api_tokens (kind, organization_id, domain_id, name, scopes, allowed_networks, expires_at, digest,
                             is_sandbox)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       returning ${columns}`,
    [kind, organizationId, domainId, name, scopes, allowedNetworks, expiresAt, digestToken(token), isSandbox],
  );
  const [row] = rows;
  if (!row) throw new Error('insert returned no row');
  return { ...row, token };
}
