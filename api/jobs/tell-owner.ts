/**
 * Tells the owner of an endpoint by mail that it fails: through Postern itself, from `webhooks.notificationAddress`.
 * The job is committed with what it tells of, so it runs; when it runs twice, the mail's idempotency key keeps it one.
 */
import type { Settings } from '../../config/schema.ts';
import type { Logger } from '../../lib/log.ts';
import type { Store } from '../database.ts';
import { sendNotice } from '../mail/notice.ts';
import type { Trouble } from '../models/webhook-attempt.ts';

export interface TellOwnerContext {
  store: Store;
  settings: Pick<Settings, 'webhooks' | 'limits'>;
  log: Logger;
}

export async function tellOwner({ store, settings, log }: TellOwnerContext, trouble: Trouble): Promise<void> {
  const reason = await send(store, settings, trouble);
  if (reason) log.warn({ webhookId: trouble.webhookId, reason }, 'webhook.owner_not_told');
}

/** @returns why nobody was told; undefined when the mail is queued, now or before */
async function send(
  store: Store,
  settings: TellOwnerContext['settings'],
  trouble: Trouble,
): Promise<string | undefined> {
  const { notify, webhookId, reason, since } = trouble;
  if (notify === null) return 'the endpoint names nobody';
  return sendNotice(store, settings, {
    to: notify,
    subject: subjects[reason],
    text: describeTrouble(trouble),
    tag: 'webhook-notice',
    name: `webhook ${webhookId} ${reason} ${since}`,
  });
}

const subjects: Record<Trouble['reason'], string> = {
  failing: 'A webhook endpoint of yours is failing',
  gone: 'A webhook endpoint of yours is switched off',
};

function describeTrouble({ domain, url, webhookId, reason, failures, since }: Trouble): string {
  const head = `Endpoint ${webhookId} of ${domain}: ${url}\n\n`;
  if (reason === 'gone') {
    return `${head}It answered 410 Gone, so nothing is sent to it any more. Its events are kept for a while: once you enable
the endpoint again, they are delivered. Delete it if you do not want them.\n`;
  }
  return `${head}It has failed ${failures} times in a row, since ${since}. Each event is tried ten times within about three days,
and then kept for replay. When the endpoint answers again, everything goes on by itself.\n`;
}
