import Type, { type Static } from 'typebox';
import { webhookEvents } from '../models/webhook.ts';
import { deliveryStates } from '../models/webhook-history.ts';
import { managementFailures, moment, nullable } from './replies.ts';

const DAY_SECONDS = 86_400;

const event = Type.Enum(webhookEvents);
const events = Type.Array(event, { minItems: 1, maxItems: webhookEvents.length, uniqueItems: true });
const url = Type.String({ description: 'Where to POST: https, a public address, no user name in it' });
const description = Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f]*$' });
const notify = nullable(
  Type.String({ maxLength: 254, description: 'Who is told by mail when the endpoint fails' }),
);

const webhookSchema = Type.Object({
  id: Type.Integer(),
  domain_id: Type.Integer(),
  url: Type.String(),
  events: Type.Array(event),
  description: Type.String(),
  notify: nullable(Type.String()),
  status: Type.Enum(['enabled', 'failing', 'disabled']),
  /** `owner` or `gone` (it answered 410) */
  disabled_reason: nullable(Type.String()),
  /** Since the last success */
  failures: Type.Integer(),
  failing_since: nullable(moment),
  /** It asked for it by Retry-After. */
  paused_until: nullable(moment),
  /** While a new secret replaces it */
  old_secret_retires_at: nullable(moment),
  created_at: moment,
  updated_at: moment,
});
export type WebhookBody = Static<typeof webhookSchema>;

const secret = Type.String({ description: 'whsec_…; shown once' });

const attemptSchema = Type.Object({
  started_at: moment,
  duration_ms: Type.Integer(),
  outcome: Type.String(),
  status: nullable(Type.Integer()),
  response: nullable(Type.String({ description: 'The first 512 bytes of the answer' })),
});
export type WebhookAttemptBody = Static<typeof attemptSchema>;

const deliverySchema = Type.Object({
  id: Type.String({ description: 'The webhook-id' }),
  event: Type.String(),
  message_id: nullable(Type.Integer()),
  state: Type.Enum(deliveryStates),
  attempts: Type.Integer(),
  occurred_at: moment,
  next_attempt_at: nullable(moment),
  finished_at: nullable(moment),
  created_at: moment,
  last_attempt: nullable(attemptSchema),
});
export type WebhookDeliveryBody = Static<typeof deliverySchema>;

const keySchema = Type.Object({
  public_key: Type.String({ description: 'The raw 32 bytes of an Ed25519 key in base64' }),
  retires_at: nullable(moment),
});

const domainParams = Type.Object({ id: Type.String() });
const webhookParams = Type.Object({ id: Type.String(), webhook_id: Type.String() });
const overlapSeconds = Type.Integer({
  minimum: 0,
  maximum: 30 * DAY_SECONDS,
  description: 'How long the one before stays good; a day where nothing is said; 0: not at all',
});
const rotationBody = nullable(Type.Object({ overlap_seconds: Type.Optional(overlapSeconds) }));

export const DEFAULT_OVERLAP_SECONDS = DAY_SECONDS;

export const listWebhooksSchema = {
  params: domainParams,
  response: { 200: Type.Array(webhookSchema), ...managementFailures },
};

export const createWebhookSchema = {
  params: domainParams,
  body: Type.Object({
    webhook: Type.Object({
      url,
      events,
      description: Type.Optional(description),
      notify: Type.Optional(notify),
    }),
  }),
  response: { 201: Type.Object({ ...webhookSchema.properties, secret }), ...managementFailures },
};

export const showWebhookSchema = {
  params: webhookParams,
  response: { 200: webhookSchema, ...managementFailures },
};

export const changeWebhookSchema = {
  params: webhookParams,
  body: Type.Object({
    webhook: Type.Object({
      url: Type.Optional(url),
      events: Type.Optional(events),
      description: Type.Optional(description),
      notify: Type.Optional(notify),
    }),
  }),
  response: { 200: webhookSchema, ...managementFailures },
};

export const deleteWebhookSchema = {
  params: webhookParams,
  response: { 200: Type.Object({ message: Type.String() }), ...managementFailures },
};

export const switchWebhookSchema = {
  params: webhookParams,
  response: { 200: webhookSchema, ...managementFailures },
};

export const rotateSecretSchema = {
  params: webhookParams,
  body: rotationBody,
  response: { 200: Type.Object({ ...webhookSchema.properties, secret }), ...managementFailures },
};

export const rotateKeySchema = {
  params: domainParams,
  body: rotationBody,
  response: { 200: Type.Array(keySchema), ...managementFailures },
};

export const listKeysSchema = {
  params: domainParams,
  response: { 200: Type.Array(keySchema), ...managementFailures },
};

export const listDeliveriesSchema = {
  params: webhookParams,
  querystring: Type.Object({
    state: Type.Optional(Type.Enum(deliveryStates)),
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    before: Type.Optional(Type.String({ format: 'uuid', description: 'Older than this delivery' })),
  }),
  response: { 200: Type.Array(deliverySchema), ...managementFailures },
};

export const showDeliverySchema = {
  params: Type.Object({ id: Type.String(), webhook_id: Type.String(), delivery_id: Type.String() }),
  response: {
    200: Type.Object({ ...deliverySchema.properties, timeline: Type.Array(attemptSchema) }),
    ...managementFailures,
  },
};

export const createReplaySchema = {
  params: webhookParams,
  body: nullable(
    Type.Object({
      delivery_ids: Type.Optional(
        Type.Array(Type.String({ format: 'uuid' }), { minItems: 1, maxItems: 1000 }),
      ),
      since: Type.Optional(moment),
      until: Type.Optional(moment),
      state: Type.Optional(
        Type.Enum(['dead', 'delivered', 'any'], { description: 'dead where nothing is said' }),
      ),
      dry_run: Type.Optional(Type.Boolean({ description: 'Only count' })),
    }),
  ),
  response: { 200: Type.Object({ count: Type.Integer(), dry_run: Type.Boolean() }), ...managementFailures },
};
