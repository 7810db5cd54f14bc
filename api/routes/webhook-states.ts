import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { inTransaction } from '../database.ts';
import { disableWebhook, enableWebhook, rotateWebhookSecret } from '../models/webhook.ts';
import { listWebhookKeys, rotateWebhookKey, type WebhookKey } from '../models/webhook-key.ts';
import { authenticateOrganization } from '../plugins/authentication.ts';
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
import { toWebhook } from './webhooks.ts';

/** Endpoints on and off; secrets and keys replaced. */
export function webhookStateRoutes({ store, settings }: Context): FastifyPluginAsyncTypebox {
  const { pool } = store;
  const masterKey = settings.secrets.key;

  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(pool));

    const path = '/domains/:id/webhooks/:webhook_id';

    app.put(`${path}/activation`, { schema: switchWebhookSchema }, async (request, reply) => {
      const webhook = await enableWebhook(pool, await ownWebhookRef(pool, request));
      return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
    });

    app.delete(`${path}/activation`, { schema: switchWebhookSchema }, async (request, reply) => {
      const webhook = await disableWebhook(pool, await ownWebhookRef(pool, request));
      return webhook ? toWebhook(webhook) : reply.code(404).send(NOT_FOUND);
    });

    app.post(`${path}/secret_rotations`, { schema: rotateSecretSchema }, async (request, reply) => {
      const overlapSeconds = request.body?.overlap_seconds ?? DEFAULT_OVERLAP_SECONDS;
      const ref = await ownWebhookRef(pool, request);
      const rotated = await rotateWebhookSecret(pool, ref, overlapSeconds, masterKey);
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
      const keys = await inTransaction(store, (tx) =>
        rotateWebhookKey(tx, domainId, overlapSeconds, masterKey),
      );
      return keys.map(toKey);
    });
  };
}

function toKey({ publicKey, retiresAt }: WebhookKey): { public_key: string; retires_at: string | null } {
  return { public_key: publicKey, retires_at: retiresAt?.toISOString() ?? null };
}
