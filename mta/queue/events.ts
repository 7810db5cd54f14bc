/** Delivery events: how they are made, and how they enter the outbox in the transaction of their cause. */
import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { classifyReply } from '../../lib/bounces/classify.ts';
import { loadRules } from '../../lib/bounces/rules.ts';
import type { AttemptFacts } from '../../lib/delivery.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';

const MAX_RESPONSE_CHARACTERS = 1_000;
/** A rule that cannot be read stops the process before it takes any mail. */
const rules = loadRules();

export interface EventSource {
  messageId: number;
  recipient: string;
  queueId: string;
  sequence: string;
  instanceId: string;
  attempt: number;
}

export interface EventDetails {
  type: DeliveryEvent['type'];
  response?: string | undefined;
  category?: string | undefined;
  facts?: AttemptFacts | undefined;
  nextAttemptAt?: Date | undefined;
}

export function createEvent(source: EventSource, details: EventDetails): DeliveryEvent {
  const response = details.response === undefined ? null : cleanResponse(details.response);
  const bounce = classify(response, details);
  return {
    id: randomUUID(),
    messageId: source.messageId,
    recipient: source.recipient,
    type: details.type,
    occurredAt: new Date().toISOString(),
    queueId: source.queueId,
    sequence: source.sequence,
    instanceId: source.instanceId,
    attempt: source.attempt,
    attemptStartedAt: details.facts?.startedAt ?? null,
    response,
    code: readCode(response),
    enhanced: readEnhancedCode(response),
    category: details.category ?? null,
    ...(bounce && { bounce }),
    mx: details.facts?.mx ?? null,
    localAddress: details.facts?.localAddress ?? null,
    tls: details.facts?.tls ?? null,
    nextAttemptAt: details.nextAttemptAt?.toISOString() ?? null,
  };
}

/** What an attempt ran into; an operator's or the queue's own reason is not a reply. */
function classify(response: string | null, { type, facts }: EventDetails): DeliveryEvent['bounce'] {
  if (!response || !facts || (type !== 'deferred' && type !== 'bounced' && type !== 'expired'))
    return undefined;
  const { class: name, isHard, action, rule } = classifyReply(rules, response, facts.mx?.hostname);
  return { class: name, isHard, action, rule };
}

/** One line without control characters, whatever the remote said (OB-8). */
export function cleanResponse(response: string): string {
  return response
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, MAX_RESPONSE_CHARACTERS);
}

function readCode(response: string | null): number | null {
  const code = /^([245]\d\d)\b/.exec(response ?? '')?.[1];
  return code === undefined ? null : Number(code);
}

/** RFC 3463 */
function readEnhancedCode(response: string | null): string | null {
  return /^[245]\d\d[ -](?:[^ ]*[ ]){0,1}?([245]\.\d{1,3}\.\d{1,3})\b/.exec(response ?? '')?.[1] ?? null;
}

/** Adds events to the outbox, within the caller's transaction. */
export async function insertEvents(client: pg.ClientBase, events: readonly DeliveryEvent[]): Promise<void> {
  await client.query({
    name: 'insert_events',
    text: `insert into delivery_events (id, event)
           select id, event
             from unnest($1::uuid[], $2::text[]) with ordinality as e (id, event, number)
            order by number`,
    values: [events.map((event) => event.id), events.map((event) => JSON.stringify(event))],
  });
}
