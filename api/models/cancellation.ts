/**
 * Taking a message back before the mta has it. The job that hands it over says who has it: while the job waits, nobody;
 * its row is locked, so no worker begins in between.
 */
import type { Queryable, Transaction } from '../database.ts';
import { HAND_OVER } from '../jobs/queues.ts';
import { createEventId, recordEvents } from './event.ts';
import { handOverJobIds, noteHandedOver } from './hand-over.ts';
import { listRecipients, type Recipient } from './message.ts';
import { endReview, SPAM } from './spam-review.ts';
import type { State } from './state.ts';

/** `waiting`: no worker has it now; `wasTried`: but one had, and the mta may have taken it. */
export type HandOverState =
  | { state: 'waiting'; wasTried: boolean }
  | { state: 'running' }
  | { state: 'over' };

/** Nothing more happens to these. */
const ended: readonly State[] = ['bounced', 'delivered', 'spam', 'expired', 'suppressed', 'cancelled'];

export function hasEnded(state: State): boolean {
  return ended.includes(state);
}

/** Until the transaction ends, no worker begins, and none ends, this job. */
export async function lockHandOver(tx: Queryable, messageId: number): Promise<HandOverState> {
  const { rows } = await tx.query<{ state: string; wasTried: boolean }>(
    `select state, started_on is not null as "wasTried"
       from pgboss.job
      where name = $1 and id = any($2)
      order by id
        for update`,
    [HAND_OVER, handOverJobIds(messageId)],
  );
  const job = rows.at(-1);
  if (job?.state === 'active') return { state: 'running' };
  if (job?.state === 'created' || job?.state === 'retry') {
    return { state: 'waiting', wasTried: job.wasTried };
  }
  return { state: 'over' };
}

/** The recipients that have not ended are cancelled, and nothing is handed over any more. */
export async function cancelBeforeHandOver(tx: Transaction, messageId: number): Promise<void> {
  await tx.cancelJobs(HAND_OVER, handOverJobIds(messageId));
  await cancelRecipients(tx, messageId, ({ state }) => !hasEnded(state));
}

/** The mta never has a sandbox message: what is not played yet is taken back. False: it is none. */
export async function cancelSandbox(tx: Transaction, messageId: number): Promise<boolean> {
  const { rowCount } = await tx.query('select from messages where id = $1 and is_sandbox', [messageId]);
  if (!rowCount) return false;
  await cancelRecipients(tx, messageId, ({ state }) => !hasEnded(state));
  return true;
}

/** The mta turned out to have it. */
export async function concludeHandOver(tx: Transaction, messageId: number): Promise<void> {
  await tx.cancelJobs(HAND_OVER, handOverJobIds(messageId));
  await noteHandedOver(tx, messageId, []);
}

/** The mta has refused these; it knows nothing of them. */
export async function cancelRefused(tx: Transaction, messageId: number): Promise<void> {
  const refusals: (string | null)[] = ['intake', SPAM];
  await cancelRecipients(
    tx,
    messageId,
    ({ state, category }) => state === 'held' && refusals.includes(category),
  );
  await endReview(tx, messageId);
}

async function cancelRecipients(
  tx: Transaction,
  messageId: number,
  isMeant: (recipient: Recipient) => boolean,
): Promise<void> {
  await tx.query('select from messages where id = $1 for update', [messageId]);
  const recipients = (await listRecipients(tx, messageId)).filter(isMeant);
  const occurredAt = new Date().toISOString();
  await recordEvents(
    tx,
    recipients.map(({ address: recipient }) => ({
      id: createEventId('cancelled', messageId, recipient),
      messageId,
      recipient,
      type: 'cancelled' as const,
      occurredAt,
      data: { response: 'Cancelled by the sender' },
    })),
  );
}
