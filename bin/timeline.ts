/** A message as people read it: what became of each recipient, and when what happened. */
import type { Cancellation, Message, TimelineEvent } from './public-api.ts';
import { clean } from './text.ts';

export function formatMessage(message: Message): string {
  const recipients = message.recipients.map(
    ({ address, status, attempts }) =>
      `  ${address}  ${status}${attempts > 1 ? ` after ${attempts} attempts` : ''}`,
  );
  const lines = [
    `Message ${message.id}: ${message.status}`,
    `  from     ${message.from}`,
    `  subject  ${message.subject ?? ''}`,
    `  id       ${message.message_id}`,
    'Recipients',
    ...recipients,
    'Timeline',
    ...message.timeline.map(formatEvent),
  ];
  return lines.map(clean).join('\n');
}

export function formatCancellation({ id, recipients }: Cancellation): string {
  const lines = recipients.map(
    ({ address, status, outcome }) => `  ${address}  ${outcome.replace('_', ' ')}, now ${status}`,
  );
  return [`Message ${id}`, ...lines].map(clean).join('\n');
}

function formatEvent({ event, recipient, occurred_at, data }: TimelineEvent): string {
  const mx = data.mx && `by ${data.mx.hostname}${data.mx.address ? ` [${data.mx.address}]` : ''}`;
  const told = data.webhook_event && `${data.webhook_event} ${data.outcome ?? ''}`;
  const score = data.score === undefined ? undefined : `spam score ${data.score}: ${data.action}`;
  const details = [recipient, mx, told, data.response, score].filter(Boolean).join('  ');
  return `  ${occurred_at}  ${event.padEnd(10)} ${details}`.trimEnd();
}
