import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { type AuditEntry, listAuditEntries } from '../models/audit.ts';
import {
  authenticateOperator,
  authenticateOrganization,
  organizationIdOf,
} from '../plugins/authentication.ts';
import { type AuditEntryBody, listAuditEntriesSchema, listOwnAuditEntriesSchema } from '../schemas/audit.ts';

/** What an organization's tokens, its operator and the console have changed of it. */
export function ownAuditEntryRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/organization/audit_entries', { schema: listOwnAuditEntriesSchema }, async (request) => {
      const query = { ...request.query, organizationId: organizationIdOf(request) };
      return (await listAuditEntries(store.pool, query)).map(toAuditEntry);
    });
  };
}

/** Everything that was changed, for operators. */
export function auditEntryRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOperator(store.pool));

    app.get('/audit_entries', { schema: listAuditEntriesSchema }, async (request) => {
      const { organization_id: organizationId, ...page } = request.query;
      return (await listAuditEntries(store.pool, { ...page, organizationId })).map(toAuditEntry);
    });
  };
}

function toAuditEntry(entry: AuditEntry): AuditEntryBody {
  return {
    id: entry.id,
    organization_id: entry.organizationId,
    actor: { kind: entry.actorKind, token_id: entry.actorTokenId, name: entry.actorName },
    action: entry.action,
    subject: entry.subject,
    subject_id: entry.subjectId,
    details: { ...entry.details },
    request_id: entry.requestId,
    address: entry.address,
    created_at: entry.createdAt.toISOString(),
  };
}
