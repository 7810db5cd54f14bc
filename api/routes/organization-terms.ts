/** An organization as requests and answers have it. */
import type { Organization, OrganizationChanges } from '../models/organization.ts';
import type { OrganizationBody, OrganizationChangesBody } from '../schemas/organizations.ts';

export function readChanges(body: OrganizationChangesBody): OrganizationChanges {
  return {
    name: body.name,
    retentionDays: body.retention_days,
    maxDomains: body.max_domains,
    messagesPerMinute: body.messages_per_minute,
    spamMarkScore: body.spam_mark_score,
    spamHoldScore: body.spam_hold_score,
    spamRefuseScore: body.spam_refuse_score,
    requiresTls: body.tls_required,
    contact: body.contact,
    bounceMail: body.bounce_mail,
  };
}

export function toOrganization(organization: Organization): OrganizationBody {
  return {
    id: organization.id,
    name: organization.name,
    suspended_at: organization.suspendedAt?.toISOString() ?? null,
    suspension_kind: organization.suspensionKind,
    suspension_reason: organization.suspensionReason,
    throttled_to: organization.throttledTo,
    throttle_reason: organization.throttleReason,
    retention_days: organization.retentionDays,
    max_domains: organization.maxDomains,
    messages_per_minute: organization.messagesPerMinute,
    spam_mark_score: organization.spamMarkScore,
    spam_hold_score: organization.spamHoldScore,
    spam_refuse_score: organization.spamRefuseScore,
    tls_required: organization.requiresTls,
    contact: organization.contact,
    bounce_mail: organization.bounceMail,
    created_at: organization.createdAt.toISOString(),
  };
}
