/**
 * How a message enters the queue: body, envelope and deliveries in one transaction. The SMTP 250 is sent after its
 * commit and not before. The same message a second time (the worker did not see the first 250) changes nothing.
 */
import type pg from 'pg';
import type { MessageIdentity } from '../../lib/delivery.ts';
import { inTransaction } from './database.ts';

/** ZoneMTA's envelope, the parts that the queue looks at. Stored whole. */
export interface Envelope {
  from: string;
  to: string[];
  sendingZone?: string;
  deferDelivery?: number;
  postern?: MessageIdentity;
  [key: string]: unknown;
}

export interface NewMessage {
  id: string;
  identity: MessageIdentity;
  envelope: Envelope;
  body: Buffer;
  zone: string;
  lifetimeSeconds: number;
}

/** @returns 'queued', or 'known' when this message had been taken in before */
export async function storeMessage(pool: pg.Pool, message: NewMessage): Promise<'queued' | 'known'> {
  const { id, identity, envelope, body, zone, lifetimeSeconds } = message;
  return inTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `insert into intakes (message_id, queue_id)
            values ($1, $2)
       on conflict (message_id) do nothing`,
      [identity.messageId, id],
    );
    if (rowCount === 0) return 'known';
    await client.query({
      name: 'insert_message',
      text: `insert into messages (id, message_id, organization_id, domain, envelope, body, expires_at)
                  values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))`,
      values: [
        id,
        identity.messageId,
        identity.organizationId,
        identity.domain,
        JSON.stringify(envelope),
        body,
        lifetimeSeconds,
      ],
    });
    await client.query({
      name: 'insert_deliveries',
      text: `insert into deliveries (queue_id, sequence, zone, recipient, domain, due_at, expires_at)
             select $1, lpad(to_hex(number), 3, '0'), $2, recipient, recipient_domain,
                    greatest(now(), to_timestamp($5)), now() + make_interval(secs => $6)
               from unnest($3::text[], $4::text[]) with ordinality as r (recipient, recipient_domain, number)`,
      values: [
        id,
        zone,
        envelope.to,
        envelope.to.map(recipientDomain),
        (envelope.deferDelivery ?? 0) / 1000,
        lifetimeSeconds,
      ],
    });
    return 'queued';
  });
}

function recipientDomain(recipient: string): string {
  return recipient
    .slice(recipient.lastIndexOf('@') + 1)
    .replace(/[[\]]/g, '')
    .toLowerCase();
}
