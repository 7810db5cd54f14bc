import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Context } from '../app.ts';
import { type AuditEntry, listAuditEntries } from '../models/audit.ts';
import { authenticateOrganization, organizationIdOf } from '../plugins/authentication.ts';
import { type AuditEntryBody, listAuditEntriesSchema } from '../schemas/audit.ts';

/** What an organization's tokens, and the operator at the console, have changed of it. */
export function auditEntryRoutes({ store }: Context): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', authenticateOrganization(store.pool));

    app.get('/organization/audit_entries', { schema: listAuditEntriesSchema }, async (request) => {
      const query = { ...request.query, organizationId: organizationIdOf(request) };
      return (await listAuditEntries(store.pool, query)).map(toAuditEntry);
    });
  };
}

function toAuditEntry(entry: AuditEntry): AuditEntryBody {
  return {
    id: entry.id,
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
