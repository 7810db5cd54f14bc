import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { deriveKey } from '../../lib/secrets.ts';
import type { Context } from '../app.ts';
import type { Event } from '../models/event.ts';
import {
  findMessage,
  listRecipients,
  loadMessages,
  type Message,
  type Recipient,
} from '../models/message.ts';
import { listReadableDomains, searchMessages } from '../models/message-search.ts';
import { listTimeline } from '../models/timeline.ts';
import { answerBadQuery, NOT_FOUND } from '../plugins/errors.ts';
import { authenticateReader, readerOf } from '../plugins/reader.ts';
import {
  type EventBody,
  listEventsSchema,
  listMessagesSchema,
  type MessageBody,
  type RecipientBody,
  showMessageSchema,
} from '../schemas/messages.ts';
import { readId } from './id.ts';
import { readMessageQuery } from './message-query.ts';

export function messageRoutes({ store: { pool }, settings }: Context): FastifyPluginAsyncTypebox {
  const cursorKey = deriveKey(settings.secrets.key, 'cursor');
  return async (app) => {
    app.addHook('onRequest', authenticateReader(pool));

    const options = { schema: listMessagesSchema, errorHandler: answerBadQuery };
    app.get('/messages', options, async (request, reply) => {
      const reader = readerOf(request);
      const domainIds = await listReadableDomains(pool, reader);
      const query = readMessageQuery(request.query, reader, domainIds, cursorKey);
      if (!query.ok) return reply.code(400).send({ errors: query.errors });
      const { ids, next } = await searchMessages(pool, query.filter, query.page);
      return {
        messages: (await loadMessages(pool, ids)).map(toMessage),
        next_cursor: next === undefined ? null : query.cursorTo(next),
      };
    });

    app.get('/messages/:id', { schema: showMessageSchema }, async (request, reply) => {
      const message = await findMessage(pool, readId(request.params.id), readerOf(request));
      if (!message) return reply.code(404).send(NOT_FOUND);
      const recipients = (await listRecipients(pool, message.id)).map(toRecipient);
      const timeline = (await listTimeline(pool, message)).map(toEvent);
      return { ...toMessage(message), recipients, timeline };
    });

    app.get('/messages/:id/events', { schema: listEventsSchema }, async (request, reply) => {
      const message = await findMessage(pool, readId(request.params.id), readerOf(request));
      if (!message) return reply.code(404).send(NOT_FOUND);
      return { events: (await listTimeline(pool, message)).map(toEvent) };
    });
  };
}

function toMessage(message: Message): MessageBody {
  return {
    id: message.id,
    status: message.state,
    domain_id: message.domainId,
    domain: message.domain,
    source: message.source,
    from: message.fromHeader,
    subject: message.subject,
    message_id: message.messageId,
    tags: message.tags,
    stream: message.stream,
    metadata: message.metadata,
    send_at: message.sendAt?.toISOString() ?? null,
    sandbox: message.isSandbox,
    created_at: message.createdAt.toISOString(),
    updated_at: message.updatedAt.toISOString(),
  };
}

function toRecipient(recipient: Recipient): RecipientBody {
  return {
    address: recipient.address,
    kind: recipient.kind,
    status: recipient.state,
    attempts: recipient.attempts,
    response: recipient.response,
    code: recipient.responseCode,
    enhanced_code: recipient.enhancedCode,
    category: recipient.category,
    mx: recipient.mx,
    updated_at: recipient.stateAt.toISOString(),
  };
}

function toEvent({ type, recipient, occurredAt, data }: Event): EventBody {
  return { event: type, recipient, occurred_at: occurredAt.toISOString(), data };
}
