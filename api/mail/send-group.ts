/**
 * Requests that come at the same time are committed together: one look at the block list, one statement for all jobs,
 * one commit. Alone a request waits for nobody; in company each costs a fraction (bench/send).
 */
import { Group } from '../../lib/group.ts';
import { inTransaction, isDatabaseUnavailable, type Store, type Transaction } from '../database.ts';
import type { Answer } from '../models/idempotency-key.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';
import { refuseBlocked } from './blocked-recipients.ts';

const MAX_MESSAGES = 50;
/** A large message is a group of its own: the others do not wait for its bytes. */
const MAX_BYTES = 2 * 1024 * 1024;

type Result = { ok: true; answer: Answer } | { ok: false; error: unknown };

export interface SendGroup {
  /** Resolves after the commit; throws what this message alone would have thrown. */
  accept(message: NewMessage): Promise<Answer>;
}

export function createSendGroup(store: Store): SendGroup {
  const group = new Group<NewMessage, Result>({
    flush: (messages) => acceptTogether(store, messages),
    maxItems: MAX_MESSAGES,
    maxSize: MAX_BYTES,
    sizeOf: ({ content }) => content.length,
  });
  return {
    async accept(message) {
      const result = await group.add(message);
      if (!result.ok) throw result.error;
      return result.answer;
    },
  };
}

/** One that Postgres refuses does not take the others with it: then each is tried by itself. */
async function acceptTogether(store: Store, messages: readonly NewMessage[]): Promise<Result[]> {
  try {
    const answers = await inTransaction(store, (tx) => acceptAll(tx, messages));
    return answers.map((answer) => ({ ok: true, answer }));
  } catch (error) {
    // What may have been committed must not be tried again.
    if (messages.length === 1 || isDatabaseUnavailable(error))
      return messages.map(() => ({ ok: false, error }));
    const results: Result[] = [];
    for (const message of messages) results.push(...(await acceptTogether(store, [message])));
    return results;
  }
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
