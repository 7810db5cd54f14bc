/**
 * What a contract is. Both sides are made from it: the api registers the route, the client is typed by it,
 * ajv checks the data at both ends.
 */
import type { Static, TSchema } from 'typebox';

export interface CachePolicy {
  /** How long a value is served without asking. */
  freshMs: number;
  /** How long after it was fetched a value is still served while it is refreshed or the api is down. */
  staleMs: number;
  /** How long "there is none" is remembered. */
  negativeMs: number;
  /** The value holds private keys: it is encrypted in Redis. */
  sealed?: boolean;
}

export interface Contract<
  Params extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Reply extends TSchema = TSchema,
> {
  /** verb + object, as the function it would be: `findCredential` */
  name: string;
  method: 'GET' | 'POST';
  /** Fastify path with `:param`s */
  path: string;
  params: Params;
  body: Body;
  reply: Reply;
  /** May be sent again after a failure whose outcome is unknown. */
  isIdempotent: boolean;
  /** Only for GET. Its presence makes 404 an answer: "there is none". */
  cache?: CachePolicy;
}

export type ParamsOf<C extends Contract> = Static<C['params']>;
export type BodyOf<C extends Contract> = Static<C['body']>;
export type ReplyOf<C extends Contract> = Static<C['reply']>;

/** Keeps the schema types of a contract literal. */
export function defineContract<P extends TSchema, B extends TSchema, R extends TSchema>(
  contract: Contract<P, B, R>,
): Contract<P, B, R> {
  return contract;
}
