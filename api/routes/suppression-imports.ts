import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import { findOwnedDomain } from '../models/list-owner.ts';
import {
  dropImport,
  findOwnImport,
  receiveImport,
  type SuppressionImport,
  startImport,
} from '../models/suppression-import.ts';
import { change } from '../plugins/audit.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, NO_SUCH_DOMAIN, ownerOf } from '../plugins/list-owner.ts';
import {
  createImportSchema,
  exportSchema,
  type ImportBody,
  showImportSchema,
} from '../schemas/suppression-imports.ts';
import { MAX_FILE_MB, receiveFile } from '../suppressions/receive-file.ts';
import { writeCsv } from '../suppressions/write-csv.ts';
import { readId } from './id.ts';
import { readAddress } from './suppressions.ts';

const RUNNING = { error: 'An import of this organization is still running' };
const TOO_LARGE = { errors: { file: [`is larger than ${MAX_FILE_MB} MB`] } };

/** Block and allow lists as CSV: in by an import that the worker runs, out at once. */
export function suppressionImportRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  const { pool } = store;

  return async (app) => {
    app.addHook('onRequest', authenticateOwner(pool));
    app.addContentTypeParser('text/csv', async (_request: unknown, body: Readable) => body);

    const receiving = { schema: createImportSchema, config: { takesCsv: true } };
    app.post('/suppressions/imports', receiving, async (request, reply) => {
      const { domain } = request.query;
      const owner = await findOwnedDomain(pool, ownerOf(request), domain);
      if (!owner) return reply.code(422).send(NO_SUCH_DOMAIN);
      const id = await receiveImport(pool, owner);
      if (id === undefined) return reply.code(409).send(RUNNING);
      const file = await receiveFile(pool, id, readBody(request));
      if (!file.ok) {
        await dropImport(pool, id);
        return reply.code(413).send(TOO_LARGE);
      }
      await change(
        store,
        request,
        (tx) => startImport(tx, id, file.bytes),
        () => ({
          organizationId: owner.organizationId,
          action: 'suppression.imported',
          subject: domain || 'all domains',
          subjectId: id,
          details: { bytes: file.bytes },
        }),
      );
      const started = await findOwnImport(pool, id, owner);
      if (!started) throw new Error('the import that was just started is not there');
      return reply.code(202).send(toImport(started));
    });

    app.get('/suppressions/imports/:id', { schema: showImportSchema }, async (request, reply) => {
      const found = await findOwnImport(pool, readId(request.params.id), ownerOf(request));
      return found ? toImport(found) : reply.code(404).send(NOT_FOUND);
    });

    const giving = { schema: exportSchema, config: { answersOtherType: true } };
    app.get('/suppressions/export', giving, async (request, reply) => {
      const { domain, list, address, reason, stream } = request.query;
      const owner = await findOwnedDomain(pool, ownerOf(request), domain);
      if (!owner) return reply.code(422).send(NO_SUCH_DOMAIN);
      reply.header('content-disposition', 'attachment; filename="suppressions.csv"');
      reply.type('text/csv; charset=utf-8');
      const query = { ...owner, list, reason, stream, address: address && readAddress(address) };
      return reply.send(writeCsv(pool, query));
    });
  };
}

/** A request may have no body at all. */
function readBody({ body }: FastifyRequest): AsyncIterable<Buffer> {
  return body instanceof Readable ? body : Readable.from([]);
}

function toImport(found: SuppressionImport): ImportBody {
  const { id, state, domain, bytes, lines, added, changed, refused, problems } = found;
  if (state === 'receiving') throw new Error('an upload is no import yet');
  return {
    ...{ id, state, domain, bytes, lines, added, changed, refused, problems },
    created_at: found.createdAt.toISOString(),
    finished_at: found.finishedAt?.toISOString() ?? null,
  };
}
