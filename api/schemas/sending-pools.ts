import Type, { type Static } from 'typebox';
import { managementFailures as failures, moment, nullable } from './replies.ts';

const poolName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' });
const hostName = Type.String({
  maxLength: 253,
  pattern: '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9-]{2,63}$',
});

const findingSchema = Type.Object({
  status: Type.Enum(['ok', 'wrong', 'unknown'], { description: 'unknown: it could not be checked' }),
  text: Type.String(),
});

const addressSchema = Type.Object({
  id: Type.Integer(),
  address: Type.String(),
  helo: Type.String(),
  findings: nullable(Type.Record(Type.String(), findingSchema)),
  checked_at: nullable(moment),
});

const assignmentSchema = Type.Object({
  id: Type.Integer(),
  organization_id: nullable(Type.Integer()),
  domain: nullable(Type.String()),
  stream: nullable(Type.String()),
});

const poolSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  addresses: Type.Array(addressSchema),
  assignments: Type.Array(assignmentSchema),
});
export type PoolBody = Static<typeof poolSchema>;

const params = Type.Object({ id: Type.String() });

export const listPoolsSchema = { response: { 200: Type.Array(poolSchema), ...failures } };

export const showPoolSchema = { params, response: { 200: poolSchema, ...failures } };

export const createPoolSchema = {
  body: Type.Object({ sending_pool: Type.Object({ name: poolName }) }),
  response: { 201: poolSchema, ...failures },
};

/** What was deleted. */
export const deletePoolSchema = { params, response: { 200: poolSchema, ...failures } };

export const addAddressSchema = {
  params,
  body: Type.Object({
    ip_address: Type.Object({
      address: Type.Union([
        Type.String({ format: 'ipv4' }),
        Type.String({ format: 'ipv6', pattern: '^[0-9A-Fa-f:]+$' }),
      ]),
      helo: hostName,
    }),
  }),
  response: { 201: poolSchema, ...failures },
};

export const removeAddressSchema = {
  params: Type.Object({ id: Type.String(), address_id: Type.String() }),
  response: { 200: poolSchema, ...failures },
};

export const assignPoolSchema = {
  params,
  body: Type.Object({
    assignment: Type.Object({
      organization_id: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
      domain: Type.Optional(hostName),
      stream: Type.Optional(Type.Enum(['transactional', 'bulk'])),
    }),
  }),
  response: { 201: poolSchema, ...failures },
};

export const removeAssignmentSchema = {
  params: Type.Object({ id: Type.String(), assignment_id: Type.String() }),
  response: { 200: poolSchema, ...failures },
};
