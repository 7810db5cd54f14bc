import type { FastifyRequest } from 'fastify';
import type { Pool } from '../database.ts';
import type { WebhookRef } from '../models/webhook.ts';
import { readId } from './id.ts';
import { ownDomainId } from './own-domain.ts';

/** The endpoint that the path names, within the organization; another's becomes one that does not exist (HK-17). */
export async function ownWebhookRef(
  pool: Pool,
  request: FastifyRequest<{ Params: { id: string; webhook_id: string } }>,
): Promise<WebhookRef> {
  const { id, webhook_id } = request.params;
  return { id: readId(webhook_id), domainId: await ownDomainId(pool, request, id) };
}
