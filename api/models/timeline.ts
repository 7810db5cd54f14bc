/** Everything that happened to a message, in one list: its events, and each attempt to tell an endpoint of them. */
import type { Queryable } from '../database.ts';
import { type Event, listEvents } from './event.ts';
import { listMessageWebhookAttempts } from './webhook-history.ts';

/** Oldest first. */
export async function listTimeline(db: Queryable, messageId: number): Promise<Event[]> {
  const events = await listEvents(db, messageId);
  const attempts = await listMessageWebhookAttempts(db, messageId);
  const told = attempts.map(
    ({ startedAt, event, webhookId, deliveryId, outcome, status, response, durationMs }): Event => ({
      type: 'webhook',
      recipient: null,
      occurredAt: startedAt,
      data: {
        webhook_event: event,
        webhook_id: webhookId,
        delivery_id: deliveryId,
        ...{ outcome, status, response, duration_ms: durationMs },
      },
    }),
  );
  return [...events, ...told].toSorted((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
}
