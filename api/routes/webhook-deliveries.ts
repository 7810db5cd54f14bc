import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import { findWebhook } from '../models/webhook.ts';
import {
  countReplay,
  findDelivery,
  listDeliveries,
  listDeliveryAttempts,
  type WebhookAttempt,
  type WebhookDelivery,
} from '../models/webhook-history.ts';
import { authenticateOrganization } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  createReplaySchema,
  listDeliveriesSchema,
  showDeliverySchema,
  type WebhookAttemptBody,
  type WebhookDeliveryBody,
} from '../schemas/webhooks.ts';
import { replayAll } from '../webhooks/replay.ts';
import { ownWebhookRef } from './own-webhook.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function webhookDeliveryRoutes({ store: { pool } }: Context): FastifyPluginAsyncTypebox {
  const findOwn = async (request: FastifyRequest<{ Params: { id: string; webhook_id: string } }>) =>
    findWebhook(pool, await ownWebhookRef(pool, request));

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(pool));

    const path = '/domains/:id/webhooks/:webhook_id';

    app.get(`${path}/deliveries`, { schema: listDeliveriesSchema }, async (request, reply) => {
      const webhook = await findOwn(request);
      if (!webhook) return reply.code(404).send(NOT_FOUND);
      const { state, before, limit } = request.query;
      return (await listDeliveries(pool, { webhookId: webhook.id, state, before, limit })).map(toDelivery);
    });

    app.get(`${path}/deliveries/:delivery_id`, { schema: showDeliverySchema }, async (request, reply) => {
      const { delivery_id: id } = request.params;
      const webhook = UUID.test(id) ? await findOwn(request) : undefined;
      const delivery = webhook && (await findDelivery(pool, { id, webhookId: webhook.id }));
      if (!delivery) return reply.code(404).send(NOT_FOUND);
      return { ...toDelivery(delivery), timeline: (await listDeliveryAttempts(pool, id)).map(toAttempt) };
    });

    app.post(`${path}/replays`, { schema: createReplaySchema }, async (request, reply) => {
      const webhook = await findOwn(request);
      if (!webhook) return reply.code(404).send(NOT_FOUND);
      const { delivery_ids: ids, since, until, state = 'dead', dry_run = false } = request.body ?? {};
      const selection = {
        webhookId: webhook.id,
        ids,
        since,
        until,
        state: state === 'any' ? undefined : state,
      };
      const count = dry_run ? await countReplay(pool, selection) : await replayAll(pool, selection);
      return { count, dry_run };
    });
  };
}

function toDelivery(delivery: WebhookDelivery): WebhookDeliveryBody {
  return {
    id: delivery.id,
    event: delivery.event,
    message_id: delivery.messageId,
    state: delivery.state,
    attempts: delivery.attempts,
    occurred_at: delivery.occurredAt.toISOString(),
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    finished_at: delivery.finishedAt?.toISOString() ?? null,
    created_at: delivery.createdAt.toISOString(),
    last_attempt: delivery.lastAttempt && toAttempt(delivery.lastAttempt),
  };
}

function toAttempt({ startedAt, durationMs, outcome, status, response }: WebhookAttempt): WebhookAttemptBody {
  return { started_at: startedAt.toISOString(), duration_ms: durationMs, outcome, status, response };
}
