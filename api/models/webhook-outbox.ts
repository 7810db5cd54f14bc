/**
 * The outbox of webhooks: what is to be told to whom, one row an event and endpoint, written in the transaction of the
 * event itself (promise 4). For a domain without endpoints it costs one look into a small index.
 */
import type { Queryable } from '../database.ts';
import type { WebhookEventData } from '../webhooks/payload.ts';
import type { NewEvent } from './event.ts';
import type { WebhookEvent } from './webhook.ts';

/** Those who are told. An endpoint that said 410 may come back, so events are kept for it; its owner's word is final. */
const isListening = `webhook.deleted_at is null and webhook.disabled_reason is distinct from 'owner'`;

/** What events of a message are called outside; of the others nobody is told. */
const names: Partial<Record<NewEvent['type'], WebhookEvent>> = {
  deferred: 'email.deferred',
  delivered: 'email.delivered',
  bounced: 'email.bounced',
  spam: 'email.spam',
  suppressed: 'email.suppressed',
  expired: 'email.expired',
  complained: 'email.complained',
  unsubscribed: 'email.unsubscribed',
};

/**
 * For the statement that writes a message, which has `message (id)` in it: tells of `email.queued`. Of what is forwarded,
 * nobody is told: they have not sent it.
 * @param domainId the parameter of the domain's id, as `$3`; `source`: of the message's source
 */
export function insertQueuedWebhooks(domainId: string, source: string): string {
  return `
    insert into webhook_deliveries (webhook_id, message_id, event, data, occurred_at)
         select webhook.id, message.id, 'email.queued', '{"status":"queued"}', now()
           from message, webhooks webhook
          where webhook.domain_id = ${domainId} and 'email.queued' = any(webhook.events) and ${source} <> 'forward'
            and ${isListening}`;
}

/**
 * Tells of these events of messages, in their order. Inside their transaction, which holds the messages' locks.
 * @param events as Postgres can store them (toStorable)
 */
export async function insertEventWebhooks(tx: Queryable, events: readonly NewEvent[]): Promise<void> {
  const told = events.flatMap(({ type, ...event }) => {
    const name = names[type];
    return name ? [{ ...event, name, data: describeEvent(type, event) }] : [];
  });
  if (told.length === 0) return;
  await tx.query(
    `insert into webhook_deliveries (webhook_id, message_id, event, data, occurred_at)
          select webhook.id, message.id, told.event, told.data, told.occurred_at
            from unnest($1::bigint[], $2::text[], $3::jsonb[], $4::timestamptz[])
                 with ordinality as told (message_id, event, data, occurred_at, ordinal)
            join messages message on message.id = told.message_id and message.source <> 'forward'
            join webhooks webhook on webhook.domain_id = message.domain_id and told.event = any(webhook.events)
           where ${isListening}
           order by told.ordinal`,
    [
      told.map((event) => event.messageId),
      told.map((event) => event.name),
      told.map((event) => JSON.stringify(event.data)),
      told.map((event) => event.occurredAt),
    ],
  );
}

/** Tells of messages that came in, as `inbound.received`. Inside the transaction that keeps them. */
export async function insertInboundWebhooks(tx: Queryable, inboundIds: readonly number[]): Promise<void> {
  await tx.query(
    `insert into webhook_deliveries (webhook_id, event, data, occurred_at)
          select webhook.id, 'inbound.received',
                 jsonb_build_object('id', message.id, 'route_id', message.route_id, 'recipient', message.recipient,
                                    'from', message.from_header, 'subject', message.subject,
                                    'message_id', message.message_id, 'size', message.size_bytes,
                                    'reply_to_id', message.reply_to_id, 'created_at', message.created_at),
                 message.created_at
            from inbound_messages message
            join webhooks webhook on webhook.domain_id = message.domain_id
           where message.id = any($1::bigint[]) and 'inbound.received' = any(webhook.events) and ${isListening}`,
    [inboundIds],
  );
}

export interface OrganizationChange {
  event: Extract<WebhookEvent, `organization.${string}`>;
  organizationId: number;
  /** Of a suspension */
  kind: string | null;
  /** By the abuse guard; what an operator noted is between operators. */
  reason: string | null;
}

/** Tells the endpoints of all its domains whether an organization may send. Inside the transaction that decides it. */
export async function insertOrganizationWebhooks(
  tx: Queryable,
  { event, organizationId, kind, reason }: OrganizationChange,
): Promise<void> {
  await tx.query(
    `insert into webhook_deliveries (webhook_id, event, data, occurred_at)
          select webhook.id, $2,
                 jsonb_build_object('organization_id', $1::bigint, 'domain_id', domain.id, 'kind', $3::text,
                                    'reason', $4::text, 'created_at', now()),
                 now()
            from domains domain
            join webhooks webhook on webhook.domain_id = domain.id
           where domain.organization_id = $1 and domain.deleted_at is null
             and $2 = any(webhook.events) and ${isListening}`,
    [organizationId, event, kind, reason],
  );
}

function describeEvent(
  type: string,
  { recipient, data }: Pick<NewEvent, 'recipient' | 'data'>,
): WebhookEventData {
  return {
    status: type,
    recipient,
    bounce_class: data.category ?? null,
    reply: data.response ?? null,
    reply_code: data.code ?? null,
    enhanced_code: data.enhanced_code ?? null,
    attempt: data.attempt ?? null,
  };
}
