/** Messages that are accepted in one transaction, with one look at the block list. */
import { type CommitGroup, createCommitGroup } from '../commit-group.ts';
import type { Store, Transaction } from '../database.ts';
import type { Answer } from '../models/idempotency-key.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';
import { refuseBlocked } from './blocked-recipients.ts';

export type SendGroup = CommitGroup<NewMessage, Answer>;

export function createSendGroup(store: Store): SendGroup {
  return createCommitGroup(store, acceptAll);
}

/** In the order given: refused, or taken. */
export async function acceptAll(tx: Transaction, messages: readonly NewMessage[]): Promise<Answer[]> {
  const refusals = await refuseBlocked(tx, messages);
  const answers: Answer[] = [];
  for (const message of messages) {
    const refusal = refusals.get(message);
    answers.push(
      refusal
        ? { status: refusal.code, body: refusal.body }
        : { status: 200, body: { id: await acceptMessage(tx, message), status: 'pending' } },
    );
  }
  return answers;
}
