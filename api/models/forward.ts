/**
 * What becomes of messages that are forwarded, for those that came in: the two are told apart by who they are about, one
 * has been received and the other is on its way.
 */
import type { Queryable, Transaction } from '../database.ts';
import { BOUNCE_INBOUND } from '../jobs/queues.ts';
import type { NewEvent } from './event.ts';

const MAX_REASON = 1_000;

/** It is on its way by this message. Inside the transaction that takes it over. */
export async function noteForward(tx: Queryable, inboundId: number, forwardId: number): Promise<void> {
  await tx.query(`update inbound_messages set state = 'queued', forward_id = $2 where id = $1`, [
    inboundId,
    forwardId,
  ]);
}

/** It is kept and goes nowhere, with the reason to be seen. Inside the transaction that takes it over. */
export async function noteUnforwarded(
  tx: Queryable,
  inboundId: number,
  state: 'stored' | 'failed',
  reason: string,
): Promise<void> {
  await tx.query('update inbound_messages set state = $2, reason = $3 where id = $1', [
    inboundId,
    state,
    reason,
  ]);
}

const states: Partial<Record<NewEvent['type'], 'retrying' | 'delivered' | 'failed'>> = {
  deferred: 'retrying',
  held: 'retrying',
  delivered: 'delivered',
  bounced: 'failed',
  expired: 'failed',
  suppressed: 'failed',
  spam: 'failed',
  cancelled: 'failed',
};

/**
 * Inside the transaction of the events. Whoever sent a message that has failed by this is told, unless somebody here did
 * not want it to go on.
 * @param news of forwarded messages, which have one recipient each
 */
export async function noteForwards(tx: Transaction, news: readonly NewEvent[]): Promise<void> {
  for (const { messageId, type, data } of news) {
    const state = states[type];
    if (!state) continue;
    const reason = [data.code, data.response ?? type].filter(Boolean).join(' ').slice(0, MAX_REASON);
    const { rows } = await tx.query<{ id: number }>(
      `update inbound_messages set state = $2, reason = $3, updated_at = now()
        where forward_id = $1 and state <> 'failed'
    returning id`,
      [messageId, state, state === 'delivered' ? null : reason],
    );
    if (state !== 'failed' || type === 'cancelled') continue;
    for (const { id } of rows) await tx.enqueue(BOUNCE_INBOUND, { inboundMessageId: id });
  }
}
