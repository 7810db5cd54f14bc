/** Mail that came in: listed, and fetched whole or in parts. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import type { Parts } from '../mail/parts.ts';
import { readParts } from '../mail/read-parts.ts';
import { findInboundMessage, type InboundMessage, listInboundMessages } from '../models/inbound-message.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import { authenticateOwner, ownerOf } from '../plugins/list-owner.ts';
import {
  type InboundMessageBody,
  listInboundMessagesSchema,
  listInboundPartsSchema,
  showInboundAttachmentSchema,
  showInboundMessageSchema,
  showInboundSourceSchema,
} from '../schemas/inbound-messages.ts';
import { INVALID_CURSOR, readPage, writePage } from './cursor.ts';
import { fileHeaders } from './foreign-content.ts';
import { readId } from './id.ts';
import { type Loaded, loadInboundContent, NO_PARTS, refuse } from './loaded.ts';
import { toAttachment } from './message-sources.ts';

export function inboundMessageRoutes({ store: { pool } }: Context): FastifyPluginAsyncTypebox {
  async function loadContent(request: FastifyRequest, id: string): Promise<Loaded<Buffer, 404 | 410 | 503>> {
    const message = await findInboundMessage(pool, readId(id), ownerOf(request));
    return loadInboundContent(pool, request, message);
  }

  async function loadParts(
    request: FastifyRequest,
    id: string,
  ): Promise<Loaded<Parts, 404 | 410 | 422 | 503>> {
    const content = await loadContent(request, id);
    if (!content.ok) return content;
    const value = await readParts(content.value);
    return value ? { ok: true, value } : refuse(422, NO_PARTS);
  }

  return async (app) => {
    app.addHook('onRequest', authenticateOwner(pool));
    const config = { answersOtherType: true };

    app.get('/inbound_messages', { schema: listInboundMessagesSchema }, async (request, reply) => {
      const { route_id: routeId, status: state, recipient } = request.query;
      const page = readPage(request.query);
      if (!page) return reply.code(422).send(INVALID_CURSOR);
      const query = { routeId, state, recipient, ...page };
      const found = await listInboundMessages(pool, ownerOf(request), query);
      const { rows, next_cursor } = writePage(found, page);
      return { inbound_messages: rows.map(toMessage), next_cursor };
    });

    app.get('/inbound_messages/:id', { schema: showInboundMessageSchema }, async (request, reply) => {
      const message = await findInboundMessage(pool, readId(request.params.id), ownerOf(request));
      return message ? toMessage(message) : reply.code(404).send(NOT_FOUND);
    });

    app.get(
      '/inbound_messages/:id/source',
      { schema: showInboundSourceSchema, config },
      async (request, reply) => {
        const content = await loadContent(request, request.params.id);
        if (!content.ok) return reply.code(content.code).send(content.body);
        return reply
          .headers(fileHeaders(`${request.params.id}.eml`))
          .type('message/rfc822')
          .send(content.value);
      },
    );

    app.get('/inbound_messages/:id/parts', { schema: listInboundPartsSchema }, async (request, reply) => {
      const parts = await loadParts(request, request.params.id);
      if (!parts.ok) return reply.code(parts.code).send(parts.body);
      const { text, html, attachments } = parts.value;
      return { text, html, attachments: attachments.map(toAttachment) };
    });

    app.get(
      '/inbound_messages/:id/attachments/:number',
      { schema: showInboundAttachmentSchema, config },
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

function toMessage(message: InboundMessage): InboundMessageBody {
  const { spf, dkim, dmarc, arc } = message.authentication;
  return {
    id: message.id,
    domain: message.domain,
    route_id: message.routeId,
    status: message.state,
    reason: message.reason,
    envelope: { from: message.envelopeFrom, to: message.recipient },
    from: message.fromHeader,
    subject: message.subject,
    message_id: message.messageId,
    size: message.sizeBytes,
    reply_to: message.replyToId,
    forward_id: message.forwardId,
    client: message.client,
    ...{ spf, dkim, dmarc, arc },
    spam: message.spam,
    virus: message.virus,
    created_at: message.createdAt.toISOString(),
  };
}
