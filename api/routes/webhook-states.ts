import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import type { Context } from '../app.ts';
import { disableWebhook, enableWebhook, rotateWebhookSecret, type Webhook } from '../models/webhook.ts';
import { listWebhookKeys, rotateWebhookKey, type WebhookKey } from '../models/webhook-key.ts';
import { change } from '../plugins/audit.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { NOT_FOUND } from '../plugins/errors.ts';
import {
  DEFAULT_OVERLAP_SECONDS,
  listKeysSchema,
  rotateKeySchema,
  rotateSecretSchema,
  switchWebhookSchema,
} from '../schemas/webhooks.ts';
import { formatSecret } from '../webhooks/signature.ts';
import { ownDomainId } from './own-domain.ts';
import { ownWebhookRef } from './own-webhook.ts';
import { noteWebhook } from './webhook-audit.ts';
import { toWebhook } from './webhooks.ts';

/** Endpoints on and off; secrets and keys replaced. */
export function webhookStateRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const { pool } = store;
  const masterKey = settings.secrets.key;

  async function switchOwn(
    request: FastifyRequest<{ Params: { id: string; webhook_id: string } }>,
    work: typeof enableWebhook,
    action: string,
  ): Promise<Webhook | undefined> {
    const ref = await ownWebhookRef(pool, request);
    return change(store, request, (tx) => work(tx, ref), noteWebhook(request, action));
  }

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(pool));

    const path = '/domains/:id/webhooks/:webhook_id';

    app.put(`${path}/activation`, { schema: switchWebhookSchema }, async (request, reply) => {
      const webhook = await switchOwn(request, enableWebhook, 'enabled');
      return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
    });

    app.delete(`${path}/activation`, { schema: switchWebhookSchema }, async (request, reply) => {
      const webhook = await switchOwn(request, disableWebhook, 'disabled');
      return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
    });

    app.post(`${path}/secret_rotations`, { schema: rotateSecretSchema }, async (request, reply) => {
      const overlapSeconds = request.body?.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS;
      const ref = await ownWebhookRef(pool, request);
      const rotated = await change(
        store,
        request,
        (tx) => rotateWebhookSecret(tx, ref, overlapSeconds, masterKey),
        (result) => noteWebhook(request, 'secret_rotated')(result?.webhook),
      );
      if (!rotated) return reply.code(404).send(NOT_FOUND);
      return { ...toWebhook(rotated.webhook), secret: formatSecret(rotated.secret) };
    });

    app.get('/domains/:id/webhook_keys', { schema: listKeysSchema }, async (request, reply) => {
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      return (await listWebhookKeys(pool, domainId)).map(toKey);
    });

    app.post('/domains/:id/webhook_keys', { schema: rotateKeySchema }, async (request, reply) => {
      const overlapSeconds = request.body?.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS;
      const domainId = await ownDomainId(pool, request, request.params.id);
      if (domainId === 0) return reply.code(404).send(NOT_FOUND);
      const keys = await change(
        store,
        request,
        (tx) => rotateWebhookKey(tx, domainId, overlapSeconds, masterKey),
        ([, newest]) => ({
          organizationId: organizationIdOf(request),
          action: 'webhook_key.rotated',
          subject: newest?.publicKey ?? '',
          subjectId: domainId,
        }),
      );
      return keys.map(toKey);
    });
  };
}

function toKey({ publicKey, retiresAt }: WebhookKey): { public_key: string; retires_at: string | null } {
  return { public_key: publicKey, retires_at: retiresAt?.toISOString() ?? null };
}
