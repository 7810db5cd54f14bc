import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { normalizeAddress } from '../../lib/mail/address.ts';
import type { Context } from '../app.ts';
import { type Event, listEvents } from '../models/event.ts';
import {
  findMessage,
  listMessages,
  listRecipients,
  type Message,
  type Recipient,
} from '../models/message.ts';
import { authenticateDomain, domainCredentialOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  type EventBody,
  listMessagesSchema,
  type MessageBody,
  type RecipientBody,
  showMessageSchema,
} from '../schemas/messages.ts';
import { readId } from './id.ts';

export function messageRoutes({ store: { pool } }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateDomain(pool));

    app.get('/messages', { schema: listMessagesSchema }, async (request) => {
      const { domainId } = domainCredentialOf(request);
      const { limit, before, recipient } = request.query;
      const address = recipient && (normalizeAddress(recipient) ?? recipient);
      return (await listMessages(pool, { domainId, limit, before, recipient: address })).map(toMessage);
    });

    app.get('/messages/:id', { schema: showMessageSchema }, async (request, reply) => {
      const { domainId } = domainCredentialOf(request);
      const message = await findMessage(pool, { id: readId(request.params.id), domainId });
      if (!message) return reply.code(404).send(NOT_FOUND);
      const recipients = (await listRecipients(pool, message.id)).map(toRecipient);
      const timeline = (await listEvents(pool, message.id)).map(toEvent);
      return { ...toMessage(message), recipients, timeline };
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
