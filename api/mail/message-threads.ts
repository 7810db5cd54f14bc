/**
 * Takes messages of strangers apart without holding up anybody else. 256 KB that are made for it keep the parser busy for
 * most of a second, 30 MB of short lines for ten: small messages share a thread and have a short time, so that a hostile
 * one does not keep the others waiting, and each large one has a thread of its own.
 */
import { type Outcome, TaskThread } from '../task-thread.ts';

const SMALL_BYTES = 256 * 1024;
const SMALL_TIMEOUT_MS = 5_000;
const TIMEOUT_MS = 20_000;
const resourceLimits = { maxOldGenerationSizeMb: 512 };

export type Taken<Answer> =
  | { ok: true; answer: Answer }
  /** `failed`: it takes too long, or too much memory; `busy`: those before it took too long */
  | { ok: false; reason: 'failed' | 'busy' };

/** @param file of the thread. @param maxWaitMs for the turn of a small one */
export function createMessageThreads<Task extends { content: Uint8Array }, Answer>(
  file: URL,
  maxWaitMs = Number.POSITIVE_INFINITY,
): (task: Task) => Promise<Taken<Answer>> {
  const shared = new TaskThread<Task, Answer>(file, { timeoutMs: SMALL_TIMEOUT_MS, resourceLimits });
  return async (task) => {
    if (task.content.length <= SMALL_BYTES) return takenOf(await shared.runWithin(maxWaitMs, task));
    const own = new TaskThread<Task, Answer>(file, { timeoutMs: TIMEOUT_MS, resourceLimits });
    try {
      return takenOf(await own.run(task));
    } finally {
      await own.close();
    }
  };
}

function takenOf<Answer>(outcome: Outcome<Answer> | { state: 'busy' }): Taken<Answer> {
  if (outcome.state === 'done') return { ok: true, answer: outcome.answer };
  return { ok: false, reason: outcome.state === 'busy' ? 'busy' : 'failed' };
}
