/**
 * feedback-id: names each delivery for feedback loops: `Feedback-ID: token:stream:domain:o3:postern`.
 *
 * Gmail counts complaints by the last four fields (https://support.google.com/mail/answer/6254652): stream, sending
 * domain, organization, and the installation. In front of them stands the token of the return path, which is not counted:
 * reports that leave out or blacken addresses still tell by it whose complaint it is (inbound/complaint.ts). Nothing
 * in it is secret, the recipient has all of it. Runs before plugins/dkim, which signs it. A message that has a Feedback-ID
 * of its own keeps that and gets none, and neither does one with the null reverse-path or one that is forwarded.
 *
 * Settings: mta.feedbackSenderId.
 */
import type { Delivery, Plugin } from '../lib/mta-types.ts';
import { guard, pluginContext } from '../lib/plugin.ts';
import { tokenOf } from '../lib/return-path.ts';

export const title = 'feedback-id';

export async function init(plugin: Plugin): Promise<void> {
  const { settings, log } = pluginContext();
  const sender = settings.mta.feedbackSenderId;
  if (!sender) return;
  plugin.addHook(
    'sender:headers',
    guard('sender:headers', log, (delivery) => addFeedbackId(delivery, sender)),
  );
}

export function addFeedbackId(
  { headers, envelope, postern }: Pick<Delivery, 'headers' | 'envelope' | 'postern'>,
  sender: string,
): void {
  const token = tokenOf(envelope.from);
  if (token === undefined || postern.isForward || headers.hasHeader('feedback-id')) return;
  const { organizationId, domain, stream = 'transactional' } = postern;
  const value = `${token}:${stream}:${domain}:o${organizationId}:${sender}`;
  headers.addFormatted('feedback-id', `Feedback-ID: ${value}`, 0);
}
