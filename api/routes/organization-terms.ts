/** An organization as requests and answers have it. */
import type { Organization, OrganizationChanges } from '../models/organization.ts';
import type { OrganizationBody, OrganizationChangesBody } from '../schemas/organizations.ts';

export function readChanges(body: OrganizationChangesBody): OrganizationChanges {
  return {
    name: body.name,
    retentionDays: body.retention_days,
    maxDomains: body.max_domains,
    messagesPerMinute: body.messages_per_minute,
  };
}

export function toOrganization(organization: Organization): OrganizationBody {
  return {
    id: organization.id,
    name: organization.name,
    suspended_at: organization.suspendedAt?.toISOString() ?? null,
    retention_days: organization.retentionDays,
    max_domains: organization.maxDomains,
    messages_per_minute: organization.messagesPerMinute,
    created_at: organization.createdAt.toISOString(),
  };
}
