import type { FastifyRequest } from 'fastify';
import type { Change } from '../models/audit.ts';
import type { Webhook } from '../models/webhook.ts';
import { organizationIdOf } from '../plugins/authentication.ts';

/** What the audit log says about a change of an endpoint; undefined where there was none. */
export function noteWebhook(
  request: FastifyRequest,
  action: string,
): (webhook: Webhook | undefined) => Change | undefined {
  return (webhook) =>
    webhook && {
      organizationId: organizationIdOf(request),
      action: `webhook.${action}`,
      subject: webhook.url,
      subjectId: webhook.id,
      details: { domain_id: webhook.domainId, events: webhook.events },
    };
}
