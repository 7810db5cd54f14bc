import Type, { type Static } from 'typebox';
import { actorKinds } from '../models/audit.ts';
import { managementFailures, moment, nullable } from './replies.ts';

const auditEntrySchema = Type.Object({
  id: Type.Integer(),
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

export const listAuditEntriesSchema = {
  querystring: Type.Object({
    limit: Type.Integer({ minimum: 1, maximum: 200, default: 50 }),
    before: Type.Optional(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Older than this id' }),
    ),
  }),
  response: { 200: Type.Array(auditEntrySchema), ...managementFailures },
};
