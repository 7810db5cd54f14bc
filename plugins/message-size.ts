/**
 * message-size: tells the connection how long the message is that goes over it next, signatures and all. It is announced
 * to a server that speaks SIZE, and not sent to one whose limit it is above (RFC 1870, mta/smtp-connection.ts).
 *
 * The last of the plugins at its hook: nothing changes the header behind it. Settings: none.
 */
import type { Connection, Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';

export const title = 'message-size';

export async function init(plugin: Plugin): Promise<void> {
  const { log } = pluginContext();
  plugin.addHook('sender:headers', guard('sender:headers', log, noteSize));
}

export function noteSize(
  delivery: Pick<Delivery, 'headers' | 'bodySize'>,
  connection: Pick<Connection, 'messageBytes'>,
): void {
  connection.messageBytes = delivery.headers.build().length + (delivery.bodySize ?? 0);
}
