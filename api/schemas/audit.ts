import Type, { type Static } from 'typebox';
import { actorKinds } from '../models/audit.ts';
import { managementFailures, moment, nullable } from './replies.ts';

const auditEntrySchema = Type.Object({
  id: Type.Integer(),
  organization_id: nullable(Type.Integer({ description: 'null: it is about no organization' })),
  actor: Type.Object({
    kind: Type.Enum(actorKinds),
    token_id: nullable(Type.Integer()),
    name: nullable(Type.String({ description: 'Of the token, as it is now' })),
  }),
  action: Type.String({ description: 'As domain.created' }),
  subject: Type.String(),
  subject_id: nullable(Type.Integer()),
  details: Type.Record(Type.String(), Type.Unknown()),
  request_id: nullable(Type.String()),
  address: nullable(Type.String()),
  created_at: moment,
});
export type AuditEntryBody = Static<typeof auditEntrySchema>;

const page = {
  limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
  before: Type.Optional(
    Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Older than this id' }),
  ),
};

/** An organization's own. */
export const listOwnAuditEntriesSchema = {
  operationId: 'listOwnAuditEntries',
  querystring: Type.Object(page),
  response: { 200: Type.Array(auditEntrySchema), ...managementFailures },
};

/** All, for operators. */
export const listAuditEntriesSchema = {
  querystring: Type.Object({
    ...page,
    organization_id: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  response: { 200: Type.Array(auditEntrySchema), ...managementFailures },
};
