import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import type { Transaction } from '../database.ts';
import {
  addAddress,
  assignPool,
  createPool,
  deletePool,
  findPool,
  listPools,
  type PoolResult,
  removeAddress,
  removeAssignment,
  type SendingPool,
} from '../models/sending-pool.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  addAddressSchema,
  assignPoolSchema,
  createPoolSchema,
  deletePoolSchema,
  listPoolsSchema,
  type PoolBody,
  removeAddressSchema,
  removeAssignmentSchema,
  showPoolSchema,
} from '../schemas/sending-pools.ts';
import { readId } from './id.ts';

type Work = (tx: Transaction) => Promise<PoolResult<SendingPool> | undefined>;

/** Local addresses and whose mail leaves from them: an operator's. */
export function sendingPoolRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  /** Notes what was done to the pool, and answers with the pool as it is then. */
  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    { action, details = {}, status }: { action: string; details?: object; status: 200 | 201 },
    work: Work,
  ) {
    const result = await change(store, request, work, (done) =>
      done?.ok
        ? { organizationId: null, action, subject: done.value.name, subjectId: done.value.id, details }
        : undefined,
    );
    if (!result) return reply.code(404).send(NOT_FOUND);
    if (!result.ok) return reply.code(422).send({ errors: { [result.field]: [result.reason] } });
    return reply.code(status).send(toPool(result.value));
  }

  /** Undefined: there is no such pool. */
  const ofPool =
    (id: number, work: (tx: Transaction, id: number) => ReturnType<Work>): Work =>
    async (tx) =>
      (await findPool(tx, id)) && work(tx, id);

  const without =
    (remove: typeof removeAddress, id: number, partId: number): Work =>
    async (tx) => {
      if (!(await remove(tx, id, partId))) return undefined;
      const value = await findPool(tx, id);
      return value && { ok: true, value };
    };

  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/sending_pools', { schema: listPoolsSchema }, async () =>
      (await listPools(store.pool)).map(toPool),
    );

    app.get('/sending_pools/:id', { schema: showPoolSchema }, async (request, reply) => {
      const pool = await findPool(store.pool, readId(request.params.id));
      return pool ? toPool(pool) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/sending_pools', { schema: createPoolSchema }, (request, reply) => {
      const { name } = request.body.sending_pool;
      return answer(request, reply, { action: 'sending_pool.created', status: 201 }, (tx) =>
        createPool(tx, name),
      );
    });

    app.delete('/sending_pools/:id', { schema: deletePoolSchema }, (request, reply) =>
      answer(request, reply, { action: 'sending_pool.deleted', status: 200 }, async (tx) => {
        const value = await deletePool(tx, readId(request.params.id));
        return value && { ok: true, value };
      }),
    );

    app.post('/sending_pools/:id/addresses', { schema: addAddressSchema }, (request, reply) => {
      const details = request.body.ip_address;
      const noted = { action: 'sending_pool.address_added', details, status: 201 } as const;
      return answer(
        request,
        reply,
        noted,
        ofPool(readId(request.params.id), (tx, id) => addAddress(tx, id, details)),
      );
    });

    app.delete(
      '/sending_pools/:id/addresses/:address_id',
      { schema: removeAddressSchema },
      (request, reply) => {
        const { id, address_id } = request.params;
        const noted = {
          action: 'sending_pool.address_removed',
          details: { address_id },
          status: 200,
        } as const;
        return answer(request, reply, noted, without(removeAddress, readId(id), readId(address_id)));
      },
    );

    app.post('/sending_pools/:id/assignments', { schema: assignPoolSchema }, (request, reply) => {
      const { organization_id = null, domain = null, stream = null } = request.body.assignment;
      const details = { organization_id, domain, stream };
      const asked = { organizationId: organization_id, domain, stream };
      const noted = { action: 'sending_pool.assigned', details, status: 201 } as const;
      return answer(
        request,
        reply,
        noted,
        ofPool(readId(request.params.id), (tx, id) => assignPool(tx, id, asked)),
      );
    });

    app.delete(
      '/sending_pools/:id/assignments/:assignment_id',
      { schema: removeAssignmentSchema },
      (request, reply) => {
        const { id, assignment_id } = request.params;
        const details = { assignment_id };
        const noted = { action: 'sending_pool.unassigned', details, status: 200 } as const;
        return answer(request, reply, noted, without(removeAssignment, readId(id), readId(assignment_id)));
      },
    );
  };
}

function toPool({ id, name, addresses, assignments }: SendingPool): PoolBody {
  return {
    id,
    name,
    addresses: addresses.map(({ checkedAt, ...address }) => ({
      ...address,
      checked_at: checkedAt && new Date(checkedAt).toISOString(),
    })),
    assignments: assignments.map(({ organizationId, ...rest }) => ({
      organization_id: organizationId,
      ...rest,
    })),
  };
}
