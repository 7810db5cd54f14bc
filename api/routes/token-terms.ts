/** What a request says about a token, checked; and what an answer says about one. */
import { normalizeNetwork } from '../../lib/access.ts';
import type { ApiToken, TokenTerms } from '../models/api-token.ts';
import type { Change } from '../models/audit.ts';
import type { ApiTokenBody, TokenTermsBody } from '../schemas/api-tokens.ts';

export type TermsResult = { ok: true; terms: TokenTerms } | { ok: false; errors: Record<string, string[]> };

/** Terms that were not named stay away: they are left as they are. */
export function readTerms(body: TokenTermsBody = {}): TermsResult {
  const { name, scopes, allowed_networks: networks, expires_at: expiry } = body;
  const allowedNetworks = networks?.map(normalizeNetwork);
  if (allowedNetworks?.includes(undefined))
    return { ok: false, errors: { allowed_networks: ['is invalid'] } };
  const expiresAt = typeof expiry === 'string' ? new Date(expiry) : expiry;
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    return { ok: false, errors: { expires_at: ['is in the past'] } };
  }
  return {
    ok: true,
    terms: {
      ...(name !== undefined && { name }),
      ...(scopes !== undefined && { scopes }),
      ...(allowedNetworks && { allowedNetworks: allowedNetworks.filter((network) => network !== undefined) }),
      ...(expiresAt !== undefined && { expiresAt }),
    },
  };
}

export function toApiToken(token: ApiToken): ApiTokenBody {
  return {
    id: token.id,
    name: token.name,
    scopes: token.scopes,
    allowed_networks: token.allowedNetworks,
    expires_at: token.expiresAt?.toISOString() ?? null,
    sandbox: token.isSandbox,
    last_used_at: token.lastUsedAt?.toISOString() ?? null,
    created_at: token.createdAt.toISOString(),
  };
}

/** What the audit log says about a change of a token. Never the token. */
export function describeTokenChange(
  action: 'created' | 'changed' | 'revoked',
  organizationId: number,
  token: ApiToken,
): Change {
  const { id, name, scopes, allowed_networks, expires_at, sandbox } = toApiToken(token);
  const details = action === 'revoked' ? {} : { scopes, allowed_networks, expires_at, sandbox };
  return { organizationId, action: `api_token.${action}`, subject: name, subjectId: id, details };
}
