/** Organizations and what was changed, as the api shows them and as people read them. */
import Type, { type Static } from 'typebox';
import { nullable } from './nullable.ts';
import { formatTable } from './text.ts';

export const organizationSchema = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  suspended_at: nullable(Type.String()),
  suspension_kind: nullable(Type.String()),
  suspension_reason: nullable(Type.String()),
  throttled_to: nullable(Type.Integer()),
  throttle_reason: nullable(Type.String()),
  retention_days: Type.Integer(),
  max_domains: nullable(Type.Integer()),
  messages_per_minute: nullable(Type.Integer()),
});
export type OrganizationView = Static<typeof organizationSchema>;

export const auditEntrySchema = Type.Object({
  id: Type.Integer(),
  organization_id: nullable(Type.Integer()),
  actor: Type.Object({ kind: Type.String(), name: nullable(Type.String()) }),
  action: Type.String(),
  subject: Type.String(),
  address: nullable(Type.String()),
  created_at: Type.String(),
});
export type AuditEntryView = Static<typeof auditEntrySchema>;

export function formatOrganizations(organizations: OrganizationView[]): string {
  return formatTable(
    ['id', 'name', 'state', 'retention', 'domains', 'a minute', 'why'],
    organizations.map((organization) => [
      String(organization.id),
      organization.name,
      stateOf(organization),
      `${organization.retention_days} d`,
      String(organization.max_domains ?? 'no limit'),
      String(organization.throttled_to ?? organization.messages_per_minute ?? 'default'),
      whyOf(organization),
    ]),
  );
}

function stateOf({ suspended_at, throttled_to }: OrganizationView): string {
  if (suspended_at) return 'suspended';
  return throttled_to === null ? 'sends' : 'throttled';
}

function whyOf({
  suspended_at,
  suspension_kind,
  suspension_reason,
  throttle_reason,
}: OrganizationView): string {
  if (!suspended_at) return throttle_reason ?? '';
  return [suspension_kind, suspension_reason].filter((text) => text).join(': ');
}

export function formatAuditEntries(entries: AuditEntryView[]): string {
  return formatTable(
    ['when', 'who', 'from', 'organization', 'what', 'of'],
    entries.map(({ created_at, actor, address, organization_id, action, subject }) => [
      created_at,
      actor.name ? `${actor.kind} ${actor.name}` : actor.kind,
      address ?? '',
      String(organization_id ?? ''),
      action,
      subject,
    ]),
  );
}
