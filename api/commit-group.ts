/**
 * Requests that come at the same time are committed together: one look at what they share, one statement for all rows,
 * one commit. Alone a request waits for nobody; in company each costs a fraction (bench/send, bench/inbound).
 */
import { Group } from '../lib/group.ts';
import { inTransaction, isDatabaseUnavailable, type Store, type Transaction } from './database.ts';

const MAX_ITEMS = 50;
/** A large message is a group of its own: the others do not wait for its bytes. */
const MAX_BYTES = 2 * 1024 * 1024;

type Result<Answer> = { ok: true; answer: Answer } | { ok: false; error: unknown };

export interface CommitGroup<Item, Answer> {
  /** Resolves after the commit; throws what this item alone would have thrown. */
  add(item: Item): Promise<Answer>;
}

/** @param commit inside a transaction; answers in the order of the items */
export function createCommitGroup<Item extends { content: Buffer }, Answer>(
  store: Store,
  commit: (tx: Transaction, items: readonly Item[]) => Promise<Answer[]>,
): CommitGroup<Item, Answer> {
  const group = new Group<Item, Result<Answer>>({
    flush: commitTogether,
    maxItems: MAX_ITEMS,
    maxSize: MAX_BYTES,
    sizeOf: ({ content }) => content.length,
  });

  /** One that Postgres refuses does not take the others with it: then each is tried by itself. */
  async function commitTogether(items: readonly Item[]): Promise<Result<Answer>[]> {
    try {
      const answers = await inTransaction(store, (tx) => commit(tx, items));
      return answers.map((answer) => ({ ok: true, answer }));
    } catch (error) {
      // What may have been committed must not be tried again.
      if (items.length === 1 || isDatabaseUnavailable(error)) return items.map(() => ({ ok: false, error }));
      const results: Result<Answer>[] = [];
      for (const item of items) results.push(...(await commitTogether([item])));
      return results;
    }
  }

  return {
    async add(item) {
      const result = await group.add(item);
      if (!result.ok) throw result.error;
      return result.answer;
    },
  };
}
