/**
 * What this process has heard of changes behind cached answers, so that an answer which somebody else got at a certain
 * time can be believed: if nothing was missed since, and nothing was heard of it.
 */
import { LRUCache } from 'lru-cache';

const MAX_CHANGES = 100_000;
/** Between the commit of a change and the news of it, and between two clocks of one machine. */
const MARGIN_MS = 2_000;

export class KnownChanges {
  readonly #changes = new LRUCache<string, number>({
    max: MAX_CHANGES,
    // What is forgotten has to count as changed: nothing older than it is believed any more.
    dispose: (at, _key, reason) => {
      if (reason === 'evict') this.#since = Math.max(this.#since, at);
    },
  });
  /** Milliseconds since the epoch: everything after it was heard. */
  #since = Number.POSITIVE_INFINITY;

  /** Subscribed from now on. */
  listen(now = Date.now()): void {
    this.#since = now;
  }

  /** Something may be missed from now on. */
  lose(): void {
    this.#since = Number.POSITIVE_INFINITY;
  }

  note(key: string, now = Date.now()): void {
    this.#changes.set(key, now);
  }

  /** @param at milliseconds since the epoch, when the answer was true */
  isUnchangedSince(key: string, at: number): boolean {
    if (at - MARGIN_MS < this.#since) return false;
    const changedAt = this.#changes.get(key);
    return changedAt === undefined || changedAt < at - MARGIN_MS;
  }
}
