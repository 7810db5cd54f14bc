/**
 * Sends messages that came in on to another address. They go as they came, behind trace fields (RFC 5321 4.4): the author's
 * signature holds, and DMARC with it. The envelope sender is rewritten when it leaves (plugins/return-path.ts).
 *
 * Delivered-To says which of our addresses has forwarded a message; one that comes back to it is in a loop.
 */
import { splitMessage } from '../../lib/mail/header-block.ts';
import type { NewInboundMessage } from '../../lib/rpc/contracts/inbound-messages.ts';
import type { Transaction } from '../database.ts';
import { BOUNCE_INBOUND } from '../jobs/queues.ts';
import { noteForward, noteUnforwarded } from '../models/forward.ts';
import type { InboundRoute } from '../models/inbound-route.ts';
import { acceptMessage } from '../models/message.ts';
import { isSuspended } from '../models/organization.ts';

export interface Arrival extends Pick<NewInboundMessage, 'envelope' | 'client'> {
  content: Buffer;
  fromHeader: string;
  subject: string | null;
  messageId: string | null;
}

/** @param id of the inbound message. Inside the transaction that takes it over. */
export async function forwardMessage(
  tx: Transaction,
  { id, recipient, route }: { id: number; recipient: string; route: InboundRoute },
  arrival: Arrival,
  { hostname, confirmsForwards }: { hostname: string; confirmsForwards: boolean },
): Promise<void> {
  if (isLooping(arrival.content, recipient)) {
    await noteUnforwarded(tx, id, 'failed', 'It has been forwarded from here before: a loop');
    await tx.enqueue(BOUNCE_INBOUND, { inboundMessageId: id });
  } else if (confirmsForwards && !route.isConfirmed) {
    await noteUnforwarded(tx, id, 'stored', `${route.destination} has not agreed yet`);
  } else if (await isSuspended(tx, route.organizationId)) {
    await noteUnforwarded(tx, id, 'stored', 'The organization is suspended');
  } else {
    await noteForward(tx, id, await send(tx, { id, recipient, route }, arrival, hostname));
  }
}

/** @returns the id of the message that goes out */
function send(
  tx: Transaction,
  { id, recipient, route }: { id: number; recipient: string; route: InboundRoute },
  { content, fromHeader, subject, messageId, envelope, client }: Arrival,
  hostname: string,
): Promise<number> {
  const { organizationId, domainId, destination } = route;
  return acceptMessage(tx, {
    credential: { organizationId, domainId, tokenId: null },
    source: 'forward',
    submissionId: null,
    envelopeFrom: envelope.from,
    recipients: [{ address: destination, kind: 'bcc' }],
    ...{ fromHeader, subject, messageId: messageId ?? '' },
    ...{ tags: ['forward'], stream: 'transactional', metadata: {}, hasUnsubscribeLink: false, sendAt: null },
    content: Buffer.concat([Buffer.from(trace({ client, recipient, hostname }), 'utf8'), content]),
    acceptance: { source: 'forward', inbound_message_id: id, recipient },
  });
}

export function isLooping(content: Buffer, recipient: string): boolean {
  return splitMessage(content).fields.some(
    ({ name, value }) => name === 'delivered-to' && value.toLowerCase() === recipient.toLowerCase(),
  );
}

/** @param client what it, or its DNS, says of itself can end neither the line nor the comment */
export function trace(
  {
    client: { ip, helo, host },
    recipient,
    hostname,
  }: { client: NewInboundMessage['client']; recipient: string; hostname: string },
  now = new Date(),
): string {
  const sayable = (text: string) => text.replaceAll(/[^!-'*-[\]-~]/g, '?') || 'unknown';
  const address = ip.includes(':') ? `IPv6:${ip}` : ip;
  return [
    `Delivered-To: ${recipient}`,
    `Received: from ${sayable(helo)} (${sayable(host ?? '')} [${address}])`,
    `\tby ${hostname} with ESMTP; ${now.toUTCString().replace('GMT', '+0000')}`,
    '',
  ].join('\r\n');
}
