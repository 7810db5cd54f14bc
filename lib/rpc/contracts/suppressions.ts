import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const suppressionSchema = Type.Object({
  /** On the allow list: always sent to, unless it has unsubscribed. */
  isAllowed: Type.Boolean(),
  /** The streams in which nothing is sent to it, and why. */
  blocks: Type.Array(
    Type.Object({ stream: Type.Enum(['all', 'transactional', 'bulk']), reason: Type.String() }),
  ),
});
export type Suppression = Static<typeof suppressionSchema>;

/**
 * What a domain's block and allow list say of an address. Always an answer, also for the many addresses that stand on
 * neither: it may be served stale while the api is down, which "there is none" may not.
 */
export const findSuppression = defineContract({
  name: 'findSuppression',
  method: 'GET',
  path: '/rpc/v1/suppressions/:address',
  params: Type.Object({
    /** Lower case */
    address: Type.String({ minLength: 3, maxLength: 320, pattern: '^[^A-Z]*$' }),
    domain: Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9._-]+$' }),
  }),
  body: Type.Undefined(),
  reply: suppressionSchema,
  isIdempotent: true,
  cache: { freshMs: 30_000, staleMs: 600_000, negativeMs: 1_000 },
});

/** Why nothing is sent to it in this stream; undefined when it may be. */
export function findBlock({ isAllowed, blocks }: Suppression, stream: string): string | undefined {
  return blocks.find(
    (block) =>
      (block.stream === 'all' || block.stream === stream) && (!isAllowed || block.reason === 'unsubscribed'),
  )?.reason;
}
