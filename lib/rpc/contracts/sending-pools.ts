import Type, { type Static } from 'typebox';
import { defineContract } from './contract.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

const poolAddressSchema = Type.Object({
  /** IPv4 or IPv6, in the form that Postgres prints. */
  address: Type.String({ minLength: 2, maxLength: 45 }),
  /** What is said in EHLO from it. */
  helo: Type.String({ minLength: 1, maxLength: 253 }),
});
export type PoolAddress = Static<typeof poolAddressSchema>;

const poolSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  addresses: Type.Array(poolAddressSchema),
});
export type Pool = Static<typeof poolSchema>;

/** Whose mail leaves from a pool: what is null is not asked for. */
const assignmentSchema = Type.Object({
  poolId: Type.Integer(),
  organizationId: nullable(Type.Integer()),
  /** A-labels, lower case */
  domain: nullable(Type.String()),
  stream: nullable(Type.String()),
});
export type PoolAssignment = Static<typeof assignmentSchema>;

const sendingPoolsSchema = Type.Object({
  pools: Type.Array(poolSchema),
  assignments: Type.Array(assignmentSchema),
});
export type SendingPools = Static<typeof sendingPoolsSchema>;

/** All pools and whose mail leaves from them. An address that was right yesterday is better than none: stale for ever. */
export const findSendingPools = defineContract({
  name: 'findSendingPools',
  method: 'GET',
  path: '/rpc/v1/sending_pools',
  params: Type.Object({}),
  body: Type.Undefined(),
  reply: sendingPoolsSchema,
  isIdempotent: true,
  cache: { freshMs: 30_000, staleMs: Number.MAX_SAFE_INTEGER, negativeMs: 1_000 },
});
