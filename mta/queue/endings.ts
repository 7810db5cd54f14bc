/**
 * How a delivery ends, for now or for good. The change of the row and the event in the outbox are one transaction,
 * made by the sender process itself as soon as it knows: no ending depends on the master being there.
 */
import type pg from 'pg';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { inTransaction } from './database.ts';
import { insertEvents } from './events.ts';

export interface DeliveryKey {
  queueId: string;
  sequence: string;
  claimId: string;
}

/**
 * The delivery leaves the queue, and with the last one of a message the message. "Delivered" holds whoever has claimed
 * the row since: the remote has the mail. Every other ending holds only while the claim does.
 *
 * @returns false when there was nothing to end: another claim had ended it before
 */
export async function finishDelivery(
  pool: pg.Pool,
  key: DeliveryKey,
  event: DeliveryEvent,
): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    await lockMessages(client, [key.queueId]);
    const { rowCount } = await client.query({
      name: 'finish_delivery',
      text: `delete from deliveries
              where queue_id = $1
                and sequence = $2
                and (claim_id = $3 or $4)`,
      values: [key.queueId, key.sequence, key.claimId, event.type === 'delivered'],
    });
    if (rowCount === 0) return false;
    await insertEvents(client, [event]);
    await removeFinishedMessages(client, [key.queueId]);
    return true;
  });
}

/** The delivery is due again at `dueAt`. */
export async function deferDelivery(
  pool: pg.Pool,
  key: DeliveryKey,
  event: DeliveryEvent,
  dueAt: Date,
): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const { rowCount } = await client.query({
      name: 'defer_delivery',
      text: `update deliveries
                set due_at = $4, deferrals = deferrals + 1, last_response = $5,
                    claim_id = null, claimed_by = null, claimed_until = null
              where queue_id = $1
                and sequence = $2
                and claim_id = $3`,
      values: [key.queueId, key.sequence, key.claimId, dueAt, event.response],
    });
    if (rowCount === 0) return false;
    await insertEvents(client, [event]);
    return true;
  });
}

/** The row stays, visibly, until a person decides. */
export async function holdDelivery(
  pool: pg.Pool,
  key: DeliveryKey,
  event: DeliveryEvent,
  reason: string,
): Promise<boolean> {
  return inTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `update deliveries
          set held_at = now(), held_reason = $4, claim_id = null, claimed_by = null, claimed_until = null
        where queue_id = $1
          and sequence = $2
          and claim_id = $3`,
      [key.queueId, key.sequence, key.claimId, reason],
    );
    if (rowCount === 0) return false;
    await insertEvents(client, [event]);
    return true;
  });
}

/**
 * Taken before the deliveries of these messages are deleted: of two that end at the same moment, the second one sees
 * that it is the last.
 */
export async function lockMessages(client: pg.ClientBase, queueIds: readonly string[]): Promise<void> {
  await client.query({
    name: 'lock_messages',
    text: 'select id from messages where id = any($1) order by id for update',
    values: [queueIds],
  });
}

/** Deletes those of the messages that have no delivery left. */
export async function removeFinishedMessages(
  client: pg.ClientBase,
  queueIds: readonly string[],
): Promise<void> {
  await client.query({
    name: 'remove_finished_messages',
    text: `delete from messages m
            where m.id = any($1)
              and not exists (select from deliveries d where d.queue_id = m.id)`,
    values: [queueIds],
  });
}
