/**
 * unsubscribe: puts a one-click link (RFC 8058) into each delivery that asks for one, a link of the recipient's own.
 * Runs before plugins/dkim, which signs both fields. A message that has a List-Unsubscribe or List-Unsubscribe-Post of
 * its own keeps it and gets nothing.
 *
 * Settings: api.publicUrl, secrets.key.
 */
import type { Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';
import {
  createUnsubscribeToken,
  UNSUBSCRIBE_PATH,
  unsubscribeBase,
  unsubscribeKey,
} from '../lib/unsubscribe.ts';

export const title = 'unsubscribe';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const base = unsubscribeBase(settings);
  if (base === undefined) return; // then no message asks for it
  const key = unsubscribeKey(settings.secrets.key);
  plugin.addHook(
    'sender:headers',
    guard('sender:headers', log, (delivery) => addUnsubscribeFields(delivery, base, key)),
  );
}

export function addUnsubscribeFields(
  { headers, recipient, postern }: Pick<Delivery, 'headers' | 'recipient' | 'postern'>,
  base: string,
  key: Buffer,
): void {
  if (!postern.hasUnsubscribeLink) return;
  if (headers.hasHeader('list-unsubscribe') || headers.hasHeader('list-unsubscribe-post')) return;
  const { messageId, organizationId, domain, stream = 'transactional' } = postern;
  const token = createUnsubscribeToken({ messageId, organizationId, domain, stream, recipient }, key);
  // A line of its own: an address of 254 bytes makes a token of 900 characters (RFC 5322 2.1.1 allows 998).
  const link = `List-Unsubscribe:\r\n <${base}${UNSUBSCRIBE_PATH}/${token}>`;
  headers.addFormatted('list-unsubscribe-post', 'List-Unsubscribe-Post: List-Unsubscribe=One-Click', 0);
  headers.addFormatted('list-unsubscribe', link, 0);
}
