import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { normalizeAddress } from '../../lib/mail/address.ts';
import type { Context } from '../app.ts';
import {
  changeWebhook,
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  type Webhook,
} from '../models/webhook.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOrganization } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  changeWebhookSchema,
  createWebhookSchema,
  deleteWebhookSchema,
  listWebhooksSchema,
  showWebhookSchema,
  type WebhookBody,
} from '../schemas/webhooks.ts';
import { createEndpointCheck } from '../webhooks/endpoint-check.ts';
import { formatSecret } from '../webhooks/signature.ts';
import { ownDomainId } from './own-domain.ts';
import { ownWebhookRef } from './own-webhook.ts';
import { noteWebhook } from './webhook-audit.ts';

/** Each event is written once an endpoint, in the transaction of the event. */
const MAX_ENDPOINTS = 20;

export function webhookRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const { pool } = store;
  const checkEndpoint = createEndpointCheck(settings);

  /** Of what is given: the addresses in it have to be good. Nobody to notify is null, and `''` as everywhere. */
  async function findErrors({ url, notify }: { url?: string; notify?: string | null | undefined }) {
    const urlError = url === undefined ? undefined : await checkEndpoint(url);
    const isNotifyWrong = Boolean(notify) && normalizeAddress(notify ?? '') === undefined;
    if (!urlError && !isNotifyWrong) return undefined;
    return { ...(urlError && { url: [urlError] }), ...(isNotifyWrong && { notify: ['is invalid'] }) };
  }

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(pool));

    app.get('/domains/:id/webhooks', { schema: listWebhooksSchema }, async (request, reply) => {
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      return (await listWebhooks(pool, domainId)).map(toWebhook);
    });

    app.post('/domains/:id/webhooks', { schema: createWebhookSchema }, async (request, reply) => {
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      const { description = '', notify, url, events } = request.body.webhook;
      const errors = await findErrors({ url, notify });
      if (errors) return reply.code(422).send({ errors });
      const asked = { url, events, description, notify: notify || null };
      const limits = { maxCount: MAX_ENDPOINTS, masterKey: settings.secrets.key };
      const created = await change(
        store,
        request,
        (tx) => createWebhook(tx, domainId, asked, limits),
        (result) => noteWebhook(request, 'created')(result?.webhook),
      );
      if (!created) {
        return reply.code(422).send({ errors: { webhook: [`a domain has at most ${MAX_ENDPOINTS}`] } });
      }
      return reply.code(201).send({ ...toWebhook(created.webhook), secret: formatSecret(created.secret) });
    });

    app.get('/domains/:id/webhooks/:webhook_id', { schema: showWebhookSchema }, async (request, reply) => {
      const webhook = await findWebhook(pool, await ownWebhookRef(pool, request));
      return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
    });

    app.patch(
      '/domains/:id/webhooks/:webhook_id',
      { schema: changeWebhookSchema },
      async (request, reply) => {
        const errors = await findErrors(request.body.webhook);
        if (errors) return reply.code(422).send({ errors });
        const ref = await ownWebhookRef(pool, request);
        const { notify, ...others } = request.body.webhook;
        const asked = { ...others, notify: notify === undefined ? undefined : notify || null };
        const webhook = await change(
          store,
          request,
          (tx) => changeWebhook(tx, ref, asked),
          noteWebhook(request, 'changed'),
        );
        return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
      },
    );

    app.delete(
      '/domains/:id/webhooks/:webhook_id',
      { schema: deleteWebhookSchema },
      async (request, reply) => {
        const ref = await ownWebhookRef(pool, request);
        const isDeleted = await change(
          store,
          request,
          (tx) => deleteWebhook(tx, ref),
          noteWebhook(request, 'deleted'),
        );
        return isDeleted ? { message: 'Webhook deleted' } : reply.code(404).send(NOT_FOUND);
      },
    );
  };
}

export function toWebhook(webhook: Webhook): WebhookBody {
  return {
    id: webhook.id,
    domain_id: webhook.domainId,
    url: webhook.url,
    events: webhook.events,
    description: webhook.description,
    notify: webhook.notify,
    status: webhook.disabledAt ? 'disabled' : webhook.failingAt ? 'failing' : 'enabled',
    disabled_reason: webhook.disabledReason,
    failures: webhook.failures,
    failing_since: (webhook.failingAt && webhook.firstFailureAt)?.toISOString() ?? null,
    paused_until: webhook.pausedUntil?.toISOString() ?? null,
    old_secret_retires_at: webhook.oldSecretRetiresAt?.toISOString() ?? null,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
  };
}
