import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

export const credentialSchema = Type.Object({
  tokenId: Type.Integer(),
  organizationId: Type.Integer(),
  domainId: Type.Integer(),
  /** The only domain this credential may send from, lower case, A-labels. */
  domain: Type.String(),
  /** Set when mail is refused for now; the text is shown to the client. */
  refusal: Type.Union([Type.String(), Type.Null()]),
  /** From where it may be used, in CIDR notation; empty: from anywhere. lib/access.ts has the rule. */
  allowedNetworks: Type.Array(Type.String()),
  /** A credential that was cached before it expired is not to be used after. */
  expiresAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
});
export type Credential = Static<typeof credentialSchema>;

/** Who may send with this API token. 404: nobody. */
export const findCredential = defineContract({
  name: 'findCredential',
  method: 'GET',
  path: '/rpc/v1/credentials/:digest',
  params: Type.Object({ digest: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
  body: Type.Undefined(),
  reply: credentialSchema,
  isIdempotent: true,
  cache: { freshMs: 60_000, staleMs: 600_000, negativeMs: 10_000 },
});
