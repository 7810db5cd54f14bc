/**
 * Everything that happened to a message, in one list: its events, what the check for spam found, and each attempt to
 * tell an endpoint of something.
 */
import type { Queryable } from '../database.ts';
import { type Event, listEvents } from './event.ts';
import type { Message } from './message.ts';
import type { SpamFinding } from './spam-review.ts';
import { listMessageWebhookAttempts } from './webhook-history.ts';

/** Oldest first. */
export async function listTimeline(
  db: Queryable,
  { id, spam }: Pick<Message, 'id' | 'spam'>,
): Promise<Event[]> {
  const events = await listEvents(db, id);
  const attempts = await listMessageWebhookAttempts(db, id);
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
  const checks = spam ? [toCheck(spam)] : [];
  // What followed from the check may bear the same millisecond: the check goes first.
  return [...checks, ...events, ...told].toSorted((a, b) => a.occurredAt.getTime() - b.occurredAt.getTime());
}

/** Kept with the message and not as an event: every message has one. */
function toCheck({ checkedAt, score, action, symbols }: SpamFinding): Event {
  const data = { score, action, symbols };
  return { type: 'checked', recipient: null, occurredAt: new Date(checkedAt), data };
}
