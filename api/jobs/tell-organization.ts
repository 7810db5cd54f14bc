/**
 * Tells the owner of an organization what the abuse guard did to it. Committed with what it tells of; run twice, the mail's
 * idempotency key keeps it one.
 */
import { sendNotice } from '../mail/notice.ts';
import type { TellOwnerContext } from './tell-owner.ts';

export interface OrganizationNotice {
  organizationId: number;
  name: string;
  /** Whom; null: the organization names nobody */
  contact: string | null;
  what: 'throttled' | 'suspended' | 'unthrottled';
  /** Empty where there is nothing to say */
  reason: string;
  /** ISO 8601 */
  at: string;
}

export async function tellOrganization(
  { store, settings, log }: TellOwnerContext,
  notice: OrganizationNotice,
): Promise<void> {
  const { organizationId, contact, what, at } = notice;
  const problem = contact
    ? await sendNotice(store, settings, {
        to: contact,
        subject: subjects[what],
        text: describe(notice),
        tag: 'organization-notice',
        name: `organization ${organizationId} ${what} ${at}`,
      })
    : 'the organization names nobody';
  if (problem) log.warn({ organizationId, what, reason: problem }, 'organization.owner_not_told');
}

const subjects: Record<OrganizationNotice['what'], string> = {
  throttled: 'Your sending is slowed down',
  suspended: 'Your sending is suspended',
  unthrottled: 'Your sending is no longer slowed down',
};

function describe({ name, what, reason, at }: OrganizationNotice): string {
  const head = `${name}, ${at}\n\n`;
  if (what === 'unthrottled') return `${head}Your mail is well again, and goes out as fast as before.\n`;
  const why = `${head}Too much of your mail is not wanted or does not arrive:\n\n  ${reason}\n\n`;
  if (what === 'throttled') {
    return `${why}Until that gets better you may send fewer messages a minute. Check where your addresses come from: if it goes
on, your sending is suspended.\n`;
  }
  return `${why}No new mail of yours is accepted. What was accepted before is still delivered. Please answer to the operator of
this installation, who can let you send again.\n`;
}
