import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const domainName = Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9._-]+$' });

/** RFC 6376 3.3, RFC 8463 3 */
export const dkimAlgorithms = ['rsa-sha256', 'ed25519-sha256'] as const;
export type DkimAlgorithm = (typeof dkimAlgorithms)[number];

export const dkimKeySchema = Type.Object({
  selector: Type.String(),
  algorithm: Type.Enum(dkimAlgorithms),
  /** PKCS#8 PEM */
  privateKey: Type.String(),
});
export type DkimKey = Static<typeof dkimKeySchema>;

/** The keys to sign a domain's mail with, now. 404: Postern does not know the domain. */
export const findDkimKeys = defineContract({
  name: 'findDkimKeys',
  method: 'GET',
  path: '/rpc/v1/domains/:name/dkim_keys',
  params: Type.Object({ name: domainName }),
  body: Type.Undefined(),
  reply: Type.Object({ domain: domainName, keys: Type.Array(dkimKeySchema) }),
  isIdempotent: true,
  cache: { freshMs: 60_000, staleMs: 86_400_000, negativeMs: 30_000, sealed: true },
});

/** The public TXT value of one selector, for the sandbox's DNS. 404: there is none. */
export const findDkimRecord = defineContract({
  name: 'findDkimRecord',
  method: 'GET',
  path: '/rpc/v1/domains/:name/dkim_records/:selector',
  params: Type.Object({
    name: domainName,
    selector: Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9._-]+$' }),
  }),
  body: Type.Undefined(),
  reply: Type.Object({ value: Type.String() }),
  isIdempotent: true,
  cache: { freshMs: 5_000, staleMs: 86_400_000, negativeMs: 1_000 },
});
