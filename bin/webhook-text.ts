/** Endpoints and deliveries of webhooks, as the api shows them and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import { clean, formatTable } from './text.ts';

export const webhookSchema = Type.Object({
  id: Type.Integer(),
  url: Type.String(),
  events: Type.Array(Type.String()),
  description: Type.String(),
  notify: nullable(Type.String()),
  status: Type.String(),
  disabled_reason: nullable(Type.String()),
  failures: Type.Integer(),
  failing_since: nullable(Type.String()),
  paused_until: nullable(Type.String()),
});
export type WebhookView = Static<typeof webhookSchema>;

export const webhookWithSecretSchema = Type.Object({ ...webhookSchema.properties, secret: Type.String() });

export const deliverySchema = Type.Object({
  id: Type.String(),
  event: Type.String(),
  message_id: nullable(Type.Integer()),
  state: Type.String(),
  attempts: Type.Integer(),
  occurred_at: Type.String(),
  next_attempt_at: nullable(Type.String()),
  last_attempt: nullable(
    Type.Object({
      outcome: Type.String(),
      status: nullable(Type.Integer()),
      response: nullable(Type.String()),
    }),
  ),
});
export type DeliveryView = Static<typeof deliverySchema>;

const SNIPPET_CHARACTERS = 60;

export function formatWebhooks(webhooks: readonly WebhookView[]): string {
  if (webhooks.length === 0) return 'The domain has no endpoint. bin/postern webhook add makes one.';
  return formatTable(
    ['id', 'status', 'url', 'events'],
    webhooks.map(({ id, status, url, events }) => [String(id), status, url, events.join(' ')]),
  );
}

export function formatWebhook(webhook: WebhookView): string {
  const lines = [
    `Endpoint ${webhook.id}: ${webhook.status}${webhook.disabled_reason ? ` (${webhook.disabled_reason})` : ''}`,
    `  url       ${webhook.url}`,
    `  events    ${webhook.events.join(' ')}`,
    `  notify    ${webhook.notify ?? 'nobody'}`,
    `  failures  ${webhook.failures} since the last success`,
    ...(webhook.failing_since ? [`  failing   since ${webhook.failing_since}`] : []),
    ...(webhook.paused_until ? [`  paused    until ${webhook.paused_until}, as it asked`] : []),
  ];
  return lines.map(clean).join('\n');
}

export function formatDeliveries(deliveries: readonly DeliveryView[]): string {
  if (deliveries.length === 0) return 'No deliveries.';
  return formatTable(
    ['id', 'event', 'message', 'state', 'failed', 'last answer'],
    deliveries.map(({ id, event, message_id, state, attempts, last_attempt: last }) => [
      id,
      event,
      String(message_id ?? ''),
      state,
      String(attempts),
      last ? `${last.status ?? last.outcome} ${(last.response ?? '').slice(0, SNIPPET_CHARACTERS)}` : '',
    ]),
  );
}
