/**
 * Cancels what is left of a message: what waits for its hand-over here, what the mta has queued there. The answer is
 * what has become of each recipient, never what is hoped for.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction, type Store, type Transaction } from '../database.ts';
import { CANCEL_LATE } from '../jobs/queues.ts';
import {
  cancelBeforeHandOver,
  cancelRefused,
  cancelSandbox,
  concludeHandOver,
  hasEnded,
  lockHandOver,
} from '../models/cancellation.ts';
import { listRecipients, type Recipient } from '../models/message.ts';
import type { State } from '../models/state.ts';
import type { MtaControl } from './mta-control.ts';

export const REASON = 'Cancelled by the sender';

/** How long a hand-over that is under way, or the mta's report, is waited for. */
const PATIENCE_MS = 3_000;
const PAUSE_MS = 50;
/** Longer than the worker waits for the mta's answer to a message (mail/intake.ts). */
const LATE_MS = 90_000;

export interface CancelledRecipient {
  address: string;
  status: State;
  /** `pending`: in an attempt at this moment, or the mta has not reported yet. */
  outcome: 'cancelled' | 'too_late' | 'pending';
}

export type CancellationResult =
  | { state: 'done' | 'too_late'; recipients: CancelledRecipient[] }
  /** Nothing was changed, ask again: a hand-over is under way, or the mta is out of reach. */
  | { state: 'unavailable' };

export async function cancelMessage(
  store: Store,
  mta: MtaControl,
  messageId: number,
): Promise<CancellationResult> {
  const until = Date.now() + PATIENCE_MS;
  let step = await inTransaction(store, (tx) => cancelWaiting(tx, mta, messageId));
  while (step === 'running' && Date.now() < until) {
    await sleep(PAUSE_MS);
    step = await inTransaction(store, (tx) => cancelWaiting(tx, mta, messageId));
  }
  if (step === 'running' || step === 'unavailable') return { state: 'unavailable' };
  if (step === 'over' && !(await cancelQueued(store, mta, messageId))) return { state: 'unavailable' };
  return describe(await listRecipients(store.pool, messageId));
}

async function cancelWaiting(
  tx: Transaction,
  mta: MtaControl,
  messageId: number,
): Promise<'cancelled' | 'running' | 'over' | 'unavailable'> {
  const job = await lockHandOver(tx, messageId);
  if (job.state === 'over' && (await cancelSandbox(tx, messageId))) return 'cancelled';
  if (job.state !== 'waiting') return job.state;
  if (job.wasTried && !(await cancelSandbox(tx, messageId))) {
    // The outcome of a hand-over is not known: the mta may have the message, or take it while we ask.
    const asked = await mta.cancel(messageId, REASON);
    if (!asked.ok) return 'unavailable';
    if (asked.affected + asked.inAttempt > 0) {
      await concludeHandOver(tx, messageId);
      return 'over';
    }
    await tx.enqueue(CANCEL_LATE, { messageId }, { startAfter: new Date(Date.now() + LATE_MS) });
  }
  await cancelBeforeHandOver(tx, messageId);
  return 'cancelled';
}

/** False: the mta did not answer. */
async function cancelQueued({ pool, ...store }: Store, mta: MtaControl, messageId: number): Promise<boolean> {
  const before = await listRecipients(pool, messageId);
  if (before.every(({ state }) => hasEnded(state))) return true;
  const asked = await mta.cancel(messageId, REASON);
  if (!asked.ok) return false;
  await inTransaction({ pool, ...store }, (tx) => cancelRefused(tx, messageId));
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    const open = (await listRecipients(pool, messageId)).filter(({ state }) => !hasEnded(state));
    if (open.length <= asked.inAttempt) break;
    await sleep(PAUSE_MS);
  }
  return true;
}

function describe(rows: readonly Recipient[]): CancellationResult {
  const recipients = rows.map(({ address, state }) => ({
    address,
    status: state,
    outcome: outcomeOf(state),
  }));
  const isTooLate = recipients.every(({ outcome }) => outcome === 'too_late');
  return { state: isTooLate ? 'too_late' : 'done', recipients };
}

function outcomeOf(state: State): CancelledRecipient['outcome'] {
  if (state === 'cancelled') return 'cancelled';
  return hasEnded(state) ? 'too_late' : 'pending';
}
