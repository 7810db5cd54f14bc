/** Mails of Postern's own to the people whose mail it sends: through itself, from `webhooks.notificationAddress`. */
import type { Settings } from '../../config/schema.ts';
import { domainOf } from '../../lib/mail/address.ts';
import type { Store } from '../database.ts';
import { findNotificationCredential, refusalOf } from '../models/api-token.ts';
import { fingerprintOf } from '../models/idempotency-key.ts';
import { sendMessage } from './send.ts';

export interface Notice {
  to: string;
  subject: string;
  text: string;
  tag: string;
  /** The same name is the same mail: it is sent once. */
  name: string;
}

/** @returns why nobody was told; undefined when the mail is queued, now or before */
export async function sendNotice(
  store: Store,
  { webhooks: { notificationAddress: from }, limits }: Pick<Settings, 'webhooks' | 'limits'>,
  { to, subject, text, tag, name }: Notice,
): Promise<string | undefined> {
  if (from === '') return 'webhooks.notificationAddress is not set';
  const credential = await findNotificationCredential(store.pool, domainOf(from));
  if (!credential) return `the domain of ${from} has no token`;
  const refusal = refusalOf(credential);
  if (refusal) return refusal;
  const body = { from: `Postern <${from}>`, to, subject, textbody: text, tags: [tag] };
  const key = { tokenId: credential.tokenId, key: name, fingerprint: fingerprintOf(name) };
  const outcome = await sendMessage(store, credential, body, { limits, key, offersUnsubscribe: false });
  if (outcome.state === 'running') throw new Error('another worker is telling it'); // which may fail: look again
  if (outcome.state !== 'answered' || outcome.answer.status === 200) return undefined;
  return JSON.stringify(outcome.answer.body);
}
