import type { FastifyInstance } from 'fastify';
import { normalizeAddress } from '../../lib/mail/address.ts';
import { createDeliveryEvents, type DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { type NewEvent, recordEvents } from '../models/event.ts';
import { suppressBounced } from '../models/suppressed-recipient.ts';
import { registerCall } from './register.ts';

export function deliveryEventCalls(app: FastifyInstance, { store, metrics, settings }: Context): void {
  registerCall(app, createDeliveryEvents, async ({ body }, { log }) => {
    const { fresh, duplicates, unknownMessageIds } = await inTransaction(store, async (tx) => {
      const recorded = await recordEvents(tx, body.events.map(toEvent));
      await suppressBounced(tx, recorded.fresh, settings.suppressions.bouncedDays);
      return recorded;
    });
    // Refusing them would stop the mta's outbox for ever; the log is where somebody can see it.
    if (unknownMessageIds.length > 0) log.error({ unknownMessageIds }, 'delivery_events.message_unknown');
    for (const { type } of fresh) metrics.deliveryEvents.inc({ type });
    return { accepted: fresh.length, duplicates };
  });
}

function toEvent(event: DeliveryEvent): NewEvent {
  const { tls } = event;
  return {
    id: event.id,
    messageId: event.messageId,
    recipient: normalizeAddress(event.recipient) ?? event.recipient, // the mta may write its domain in U-labels
    type: event.type,
    occurredAt: event.occurredAt,
    data: {
      attempt: event.attempt,
      attempt_started_at: event.attemptStartedAt,
      response: event.response,
      code: event.code,
      enhanced_code: event.enhanced,
      category: event.bounce?.class ?? event.category,
      bounce: event.bounce && toBounce(event.bounce),
      mx: event.mx,
      local_address: event.localAddress,
      tls: tls && { version: tls.version, cipher: tls.cipher, is_authorized: tls.isAuthorized },
      next_attempt_at: event.nextAttemptAt,
      queue_id: event.queueId,
      sequence: event.sequence,
      instance_id: event.instanceId,
    },
  };
}

function toBounce({ class: name, isHard, action, rule }: NonNullable<DeliveryEvent['bounce']>) {
  return { class: name, is_hard: isHard, action, rule };
}
