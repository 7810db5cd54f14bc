/**
 * The abuse guard, each minute: throttles organizations of whose mail too much bounces, is spam or is complained about,
 * suspends those that go on, and lets go of those that got better. Each change commits with its audit entry, its webhooks and
 * the job that tells the owner, so a crash leaves all or nothing, and the next minute does the rest.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import { type Judgement, judgeAbuse } from '../abuse/judge.ts';
import { inTransaction, type Store, type Transaction } from '../database.ts';
import { guardActor, recordChange } from '../models/audit.ts';
import {
  liftThrottle,
  lockIfSending,
  type Organization,
  suspendOrganization,
  throttleOrganization,
} from '../models/organization.ts';
import { foldOutcomes, listRecords } from '../models/sending-outcome.ts';
import { insertOrganizationWebhooks } from '../models/webhook-outbox.ts';
import { TELL_ORGANIZATION } from './queues.ts';
import type { OrganizationNotice } from './tell-organization.ts';

export interface GuardContext {
  store: Store;
  settings: Pick<Settings, 'abuse'>;
  log: Pick<Logger, 'warn' | 'info'>;
}

export async function guardAbuse({ store, settings: { abuse }, log }: GuardContext): Promise<void> {
  if (!abuse.enabled) return;
  await foldOutcomes(store.pool, Math.max(...abuse.windowsSeconds));
  for (const record of await listRecords(store.pool, abuse.windowsSeconds)) {
    const judgement = judgeAbuse(record.windows, record, abuse, Date.now());
    if (judgement.action === 'none') continue;
    const { organizationId } = record;
    const changed = await inTransaction(store, (tx) => apply(tx, organizationId, judgement, abuse));
    if (changed) log.warn({ organizationId, ...judgement }, `organization.${changed}`);
  }
}

/** @returns what it did to it; undefined: it was changed by somebody else in the meantime */
async function apply(
  tx: Transaction,
  organizationId: number,
  judgement: Exclude<Judgement, { action: 'none' }>,
  abuse: Settings['abuse'],
): Promise<'throttled' | 'suspended' | 'unthrottled' | undefined> {
  if (judgement.action === 'recover') {
    return note(tx, await liftThrottle(tx, organizationId), 'unthrottled', '');
  }
  const { action, reason } = judgement;
  if (action === 'throttle') {
    const limit = { messagesPerMinute: abuse.throttledMessagesPerMinute, reason };
    return note(tx, await throttleOrganization(tx, organizationId, limit), 'throttled', reason);
  }
  if (!(await lockIfSending(tx, organizationId))) return undefined;
  const suspended = await suspendOrganization(tx, organizationId, { kind: 'abuse', reason });
  return note(tx, suspended, 'suspended', reason);
}

async function note<Did extends OrganizationNotice['what']>(
  tx: Transaction,
  organization: Organization | undefined,
  what: Did,
  reason: string,
): Promise<Did | undefined> {
  if (!organization) return undefined;
  const { id, name, contact } = organization;
  const details = reason ? { reason } : {};
  const action = `organization.${what}`;
  await recordChange(tx, guardActor, {
    organizationId: id,
    action,
    subject: name,
    subjectId: id,
    details,
  });
  await insertOrganizationWebhooks(tx, {
    event: `organization.${what}`,
    organizationId: id,
    kind: what === 'suspended' ? 'abuse' : null,
    reason: reason || null,
  });
  const at = new Date().toISOString();
  const notice: OrganizationNotice = { organizationId: id, name, contact, what, reason, at };
  await tx.enqueue(TELL_ORGANIZATION, notice);
  return what;
}
