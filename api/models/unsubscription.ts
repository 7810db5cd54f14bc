/** A recipient's own word that it wants no more of a domain's stream: on the block list, and on the timeline. */
import type { Unsubscription } from '../../lib/unsubscribe.ts';
import type { Transaction } from '../database.ts';
import { createEventId, recordEvents } from './event.ts';
import { isStream } from './stream.ts';
import { suppressUnsubscribed } from './suppressed-recipient.ts';

/** A second time it changes nothing. A domain that is gone sends nothing more, so there is nothing to block. */
export async function unsubscribe(tx: Transaction, unsubscription: Unsubscription): Promise<void> {
  const { messageId, organizationId, domain, stream, recipient } = unsubscription;
  if (!isStream(stream)) throw new Error(`a link names the stream ${stream}`);
  const id = createEventId('unsubscribed', messageId, recipient);
  const occurredAt = new Date().toISOString();
  // First, as bounces do: whoever locks messages and then the block list waits for nobody who does it the other way.
  // A message that was purged has no timeline any more.
  await recordEvents(tx, [{ id, messageId, recipient, type: 'unsubscribed', occurredAt, data: { stream } }]);
  const { rows } = await tx.query<{ id: number }>(
    'select id from domains where name = $1 and organization_id = $2 and deleted_at is null',
    [domain, organizationId],
  );
  for (const { id: domainId } of rows) {
    await suppressUnsubscribed(tx, { organizationId, domainId, stream, address: recipient, messageId });
  }
}
