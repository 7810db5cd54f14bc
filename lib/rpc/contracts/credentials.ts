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
