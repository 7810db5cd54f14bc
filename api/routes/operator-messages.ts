import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import {
  findOperatorMessage,
  listOperatorMessages,
  markOperatorMessage,
  type OperatorMessage,
} from '../models/operator-message.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOperator } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  listOperatorMessagesSchema,
  type OperatorMessageBody,
  showOperatorMessageSchema,
  showOperatorSourceSchema,
} from '../schemas/operator-messages.ts';
import { INVALID_CURSOR, readPage, writePage } from './cursor.ts';
import { fileHeaders } from './foreign-content.ts';
import { readId } from './id.ts';
import { loadInboundContent } from './loaded.ts';

/** Mail to postmaster and abuse, for operators. */
export function operatorMessageRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  const { pool } = store;

  return async (app) => {
    app.addHook('onRequest', authenticateOperator(pool));

    app.get('/operator_messages', { schema: listOperatorMessagesSchema }, async (request, reply) => {
      const { purpose, seen: isSeen } = request.query;
      const page = readPage(request.query);
      if (!page) return reply.code(422).send(INVALID_CURSOR);
      const found = await listOperatorMessages(pool, { purpose, isSeen, ...page });
      const { rows, next_cursor } = writePage(found, page);
      return { operator_messages: rows.map(toMessage), next_cursor };
    });

    app.get('/operator_messages/:id', { schema: showOperatorMessageSchema }, async (request, reply) => {
      const message = await findOperatorMessage(pool, readId(request.params.id));
      return message ? toMessage(message) : reply.code(404).send(NOT_FOUND);
    });

    app.get(
      '/operator_messages/:id/source',
      { schema: showOperatorSourceSchema, config: { answersOtherType: true } },
      async (request, reply) => {
        const { id } = request.params;
        const content = await loadInboundContent(pool, request, await findOperatorMessage(pool, readId(id)));
        if (!content.ok) return reply.code(content.code).send(content.body);
        return reply
          .headers(fileHeaders(`${id}.eml`))
          .type('message/rfc822')
          .send(content.value);
      },
    );

    for (const [method, isSeen] of [
      ['PUT', true],
      ['DELETE', false],
    ] as const) {
      app.route({
        method,
        url: '/operator_messages/:id/seen',
        schema: showOperatorMessageSchema,
        handler: async (request, reply) => {
          const id = readId(request.params.id);
          const marked = await change(
            store,
            request,
            (tx) => markOperatorMessage(tx, id, isSeen),
            (message) => message && describeMark(message, isSeen),
          );
          return marked ? toMessage(marked) : reply.code(404).send(NOT_FOUND);
        },
      });
    }
  };
}

function describeMark({ id: subjectId, recipient: subject }: OperatorMessage, isSeen: boolean) {
  const action = `operator_message.${isSeen ? 'seen' : 'reopened'}`;
  return { organizationId: null, action, subject, subjectId };
}

function toMessage(message: OperatorMessage): OperatorMessageBody {
  const { spf, dkim, dmarc } = message.authentication;
  return {
    id: message.id,
    purpose: message.purpose,
    envelope: { from: message.envelopeFrom, to: message.recipient },
    from: message.fromHeader,
    subject: message.subject,
    message_id: message.messageId,
    size: message.sizeBytes,
    client: message.client,
    ...{ spf, dkim, dmarc },
    spam: message.spam,
    seen_at: message.seenAt?.toISOString() ?? null,
    created_at: message.createdAt.toISOString(),
  };
}
