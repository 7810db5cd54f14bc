/**
 * return-path: every recipient gets an envelope sender of its own (VERP), so that a bounce that comes back later says
 * by itself whose it is: `bounces+<signed token>@<mta.returnPathDomain>`. The null reverse-path stays null: a bounce
 * is never answered by a bounce (RFC 5321 4.5.5). A forwarded message has its author's address in it (SRS), where that
 * fits.
 *
 * Settings: mta.returnPathDomain, secrets.key.
 */
import { createForwardSender } from '../lib/forward-sender.ts';
import type { Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';
import { createReturnPath } from '../lib/return-path.ts';
import { deriveKey } from '../lib/secrets.ts';

export const title = 'return-path';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const keys = {
    returnPath: deriveKey(settings.secrets.key, 'return-path'),
    forward: deriveKey(settings.secrets.key, 'forward'),
  };
  plugin.addHook(
    'sender:fetch',
    guard('sender:fetch', log, (delivery) => setReturnPath(delivery, settings.mta.returnPathDomain, keys)),
  );
}

export function setReturnPath(
  { from, recipient, envelope, postern }: Pick<Delivery, 'from' | 'recipient' | 'envelope' | 'postern'>,
  domain: string,
  keys: { returnPath: Buffer; forward: Buffer },
): void {
  if (!from) return;
  const { messageId, isForward } = postern;
  const rewritten = isForward && createForwardSender({ messageId, sender: from, domain }, keys.forward);
  envelope.from = rewritten || createReturnPath({ messageId, recipient, domain }, keys.returnPath);
}
