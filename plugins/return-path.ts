/**
 * return-path: every recipient gets an envelope sender of its own (VERP), so that a bounce that comes back later says
 * by itself whose it is: `bounces+<signed token>@<mta.returnPathDomain>`. The null reverse-path stays null: a bounce
 * is never answered by a bounce (RFC 5321 4.5.5).
 *
 * Settings: mta.returnPathDomain, secrets.key.
 */
import type { Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';
import { createReturnPath } from '../lib/return-path.ts';
import { deriveKey } from '../lib/secrets.ts';

export const title = 'return-path';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const key = deriveKey(settings.secrets.key, 'return-path');
  plugin.addHook(
    'sender:fetch',
    guard('sender:fetch', log, (delivery) => setReturnPath(delivery, settings.mta.returnPathDomain, key)),
  );
}

export function setReturnPath(delivery: Delivery, domain: string, key: Buffer): void {
  if (!delivery.from) return;
  const { messageId } = delivery.postern;
  delivery.envelope.from = createReturnPath({ messageId, recipient: delivery.recipient, domain }, key);
}
