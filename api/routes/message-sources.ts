/** What a message says: its source, and the parts of it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import type { AttachedFile, Parts, PartsOptions } from '../mail/parts.ts';
import { readParts } from '../mail/read-parts.ts';
import { findMessage } from '../models/message.ts';
import { UNAVAILABLE } from '../plugins/admission.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateReader, readerOf } from '../plugins/reader.ts';
import {
  type AttachmentBody,
  listPartsSchema,
  showAttachmentSchema,
  showHtmlSchema,
  showSourceSchema,
  showTextSchema,
} from '../schemas/message-sources.ts';
import { loadSource } from '../storage/load-source.ts';
import { openObjectStore } from '../storage/object-store.ts';
import { fileHeaders, inertHeaders } from './foreign-content.ts';
import { readId } from './id.ts';
import { COPIES, GONE, type Loaded, NO_PARTS, refuse } from './loaded.ts';

type SourceCode = 404 | 410 | 503;

export function messageSourceRoutes({ store: { pool }, settings }: Context): FastifyPluginAsyncTypebox {
  const objects = openObjectStore(settings);

  async function readSource(request: FastifyRequest, id: string): Promise<Loaded<Buffer, SourceCode>> {
    const message = await findMessage(pool, readId(id), readerOf(request));
    if (!message) return refuse(404, NOT_FOUND);
    if (!request.admitBytes(message.sizeBytes * COPIES)) return refuse(503, UNAVAILABLE);
    const source = await loadSource(pool, objects, message.id);
    if (source.ok) return { ok: true, value: source.content };
    if (source.reason === 'gone') return refuse(410, GONE);
    request.log.warn({ err: source.error, messageId: message.id }, 'storage.unavailable');
    return refuse(503, UNAVAILABLE);
  }

  async function loadParts(
    request: FastifyRequest,
    id: string,
    options?: PartsOptions,
  ): Promise<Loaded<Parts, SourceCode | 422>> {
    const source = await readSource(request, id);
    if (!source.ok) return source;
    const value = await readParts(source.value, options);
    return value ? { ok: true, value } : refuse(422, NO_PARTS);
  }

  return async (app) => {
    app.addHook('onRequest', authenticateReader(pool));
    const config = { answersOtherType: true };

    app.get('/messages/:id/source', { schema: showSourceSchema, config }, async (request, reply) => {
      const source = await readSource(request, request.params.id);
      if (!source.ok) return reply.code(source.code).send(source.body);
      return reply
        .headers(fileHeaders(`${request.params.id}.eml`))
        .type('message/rfc822')
        .send(source.value);
    });

    app.get('/messages/:id/parts', { schema: listPartsSchema }, async (request, reply) => {
      const parts = await loadParts(request, request.params.id);
      if (!parts.ok) return reply.code(parts.code).send(parts.body);
      const { text, html, attachments } = parts.value;
      return { text, html, attachments: attachments.map(toAttachment) };
    });

    app.get('/messages/:id/parts/text', { schema: showTextSchema, config }, async (request, reply) => {
      const parts = await loadParts(request, request.params.id);
      if (!parts.ok) return reply.code(parts.code).send(parts.body);
      if (parts.value.text === null) return reply.code(404).send(NOT_FOUND);
      return reply.headers(inertHeaders).type('text/plain; charset=utf-8').send(parts.value.text);
    });

    app.get('/messages/:id/parts/html', { schema: showHtmlSchema, config }, async (request, reply) => {
      const parts = await loadParts(request, request.params.id, { inlinesImages: true });
      if (!parts.ok) return reply.code(parts.code).send(parts.body);
      if (parts.value.html === null) return reply.code(404).send(NOT_FOUND);
      return reply.headers(inertHeaders).type('text/html; charset=utf-8').send(parts.value.html);
    });

    app.get(
      '/messages/:id/attachments/:number',
      { schema: showAttachmentSchema, config },
      async (request, reply) => {
        const { id, number } = request.params;
        const parts = await loadParts(request, id);
        if (!parts.ok) return reply.code(parts.code).send(parts.body);
        const file = parts.value.attachments[readId(number) - 1];
        if (!file) return reply.code(404).send(NOT_FOUND);
        return reply
          .headers(fileHeaders(file.name ?? `attachment-${number}`))
          .type(file.contentType)
          .send(file.content);
      },
    );
  };
}

export function toAttachment(
  { name, contentType, cid, isInline, content }: AttachedFile,
  index: number,
): AttachmentBody {
  return { number: index + 1, name, content_type: contentType, size: content.length, cid, inline: isInline };
}
