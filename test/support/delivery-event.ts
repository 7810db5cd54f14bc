/** What the mta reports of a delivery: complete, and with what its reply means, as mta/queue/events.ts has it. */
import { randomUUID } from 'node:crypto';
import { classifyReply } from '../../lib/bounces/classify.ts';
import { loadRules } from '../../lib/bounces/rules.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';

const rules = loadRules();

export type DeliveryEventChanges = Partial<DeliveryEvent> & Pick<DeliveryEvent, 'messageId' | 'type'>;

export function deliveryEvent(changes: DeliveryEventChanges): DeliveryEvent {
  const event: DeliveryEvent = {
    id: randomUUID(),
    recipient: 'b@example.com',
    occurredAt: '2026-01-01T00:00:00.000Z',
    queueId: '18c2f',
    sequence: '001',
    instanceId: 'local',
    attempt: 1,
    attemptStartedAt: null,
    response: null,
    code: null,
    enhanced: null,
    category: null,
    mx: null,
    localAddress: null,
    tls: null,
    nextAttemptAt: null,
    ...changes,
  };
  const isRefusal = event.type === 'bounced' || event.type === 'deferred';
  if (!isRefusal || event.response === null) return event;
  const { class: name, isHard, action, rule } = classifyReply(rules, event.response, event.mx?.hostname);
  return { bounce: { class: name, isHard, action, rule }, ...event };
}
