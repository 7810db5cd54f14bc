import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { normalizeAddress } from '../../lib/mail/address.ts';
import type { Context } from '../app.ts';
import { findOwnedDomain, type ListOwner } from '../models/list-owner.ts';
import {
  addSuppression,
  findSuppressionRow,
  listSuppressions,
  removeSuppression,
  type SuppressionRow,
} from '../models/suppression.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, NO_SUCH_DOMAIN, ownerOf } from '../plugins/list-owner.ts';
import {
  createSuppressionSchema,
  deleteSuppressionSchema,
  listSuppressionsSchema,
  type SuppressionBody,
  showSuppressionSchema,
} from '../schemas/suppressions.ts';
import { INVALID_CURSOR, readPage, writePage } from './cursor.ts';
import { readId } from './id.ts';

export function suppressionRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOwner(store.pool));

    app.get('/suppressions', { schema: listSuppressionsSchema }, async (request, reply) => {
      const { domain, list, address, reason, stream } = request.query;
      const owner = await findOwnedDomain(store.pool, ownerOf(request), domain);
      if (!owner) return reply.code(422).send(NO_SUCH_DOMAIN);
      const page = readPage(request.query);
      if (!page) return reply.code(422).send(INVALID_CURSOR);
      const query = { ...owner, list, reason, stream, ...page };
      const found = await listSuppressions(store.pool, {
        ...query,
        address: address && readAddress(address),
      });
      const { rows, next_cursor } = writePage(found, page);
      return { suppressions: rows.map(toSuppression), next_cursor };
    });

    app.get('/suppressions/:id', { schema: showSuppressionSchema }, async (request, reply) => {
      const row = await findSuppressionRow(store.pool, readId(request.params.id), ownerOf(request));
      return row ? toSuppression(row) : reply.code(404).send(NOT_FOUND);
    });

    app.post('/suppressions', { schema: createSuppressionSchema }, async (request, reply) => {
      const { list = 'block', stream = 'all', reason = 'manual', note, expires_at, domain } = request.body;
      const owner = await findOwnedDomain(store.pool, ownerOf(request), domain ?? undefined);
      if (!owner) return reply.code(422).send(NO_SUCH_DOMAIN);
      const address = normalizeAddress(request.body.address);
      if (!address) return reply.code(422).send({ errors: { address: ['is invalid'] } });
      const expiresAt = expires_at ? new Date(expires_at) : undefined;
      if (expiresAt && expiresAt.getTime() <= Date.now()) {
        return reply.code(422).send({ errors: { expires_at: ['is in the past'] } });
      }
      const asked = { ...owner, list, stream, reason, address, note: note ?? undefined, expiresAt };
      const row = await change(
        store,
        request,
        (tx) => addSuppression(tx, asked),
        (added) => describeChange('added', owner, added),
      );
      return reply.code(201).send(toSuppression(row));
    });

    app.delete('/suppressions/:id', { schema: deleteSuppressionSchema }, async (request, reply) => {
      const removed = await removeWithAudit(request);
      return removed ? { message: 'Suppression deleted' } : reply.code(404).send(NOT_FOUND);
    });
  };

  function removeWithAudit(request: FastifyRequest<{ Params: { id: string } }>) {
    const owner = ownerOf(request);
    return change(
      store,
      request,
      (tx) => removeSuppression(tx, readId(request.params.id), owner),
      (row) => row && describeChange('removed', owner, row),
    );
  }
}

function describeChange(
  verb: 'added' | 'removed',
  { organizationId }: ListOwner,
  { id, address, list, stream, domain, reason }: SuppressionRow,
) {
  const details = { list, stream, domain, reason };
  return { organizationId, action: `suppression.${verb}`, subject: address, subjectId: id, details };
}

/** What is no address names no row. */
export function readAddress(text: string): string {
  return normalizeAddress(text) ?? text;
}

function toSuppression(row: SuppressionRow): SuppressionBody {
  return {
    id: row.id,
    list: row.list,
    address: row.address,
    domain: row.domain,
    stream: row.stream,
    reason: row.reason,
    note: row.note,
    message_id: row.messageId,
    expires_at: row.expiresAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
  };
}
