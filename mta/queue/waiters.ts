/** Sender processes that have asked for deliveries and wait for them, in the order in which they asked. */
import type { ClaimedRow } from './rows.ts';

export interface Waiter {
  zone: string;
  /** The sender process. */
  owner: string;
  /** How many deliveries it can take. */
  count: number;
  /** Called once: with at least one row, or with nothing when the queue closes. */
  give(rows: ClaimedRow[] | undefined): void;
}

export class Waiters {
  readonly #byZone = new Map<string, Waiter[]>();

  add(waiter: Waiter): void {
    const waiters = this.#byZone.get(waiter.zone) ?? [];
    waiters.push(waiter);
    this.#byZone.set(waiter.zone, waiters);
  }

  /** Those of a process that is gone. */
  dropOwner(owner: string): void {
    for (const [zone, waiters] of this.#byZone) {
      this.#byZone.set(
        zone,
        waiters.filter((waiter) => waiter.owner !== owner),
      );
    }
  }

  /**
   * Gives rows to those who wait, first come first served, until there are none.
   * @param take rows for this one; none: there are none left
   */
  serve(zone: string, take: (waiter: Waiter) => ClaimedRow[]): void {
    const waiters = this.#byZone.get(zone) ?? [];
    for (let waiter = waiters[0]; waiter; waiter = waiters[0]) {
      const rows = take(waiter);
      if (rows.length === 0) return;
      waiters.shift();
      waiter.give(rows);
    }
  }

  /** Lets those of the zone go with nothing: they ask again, unless they are told to end. */
  letGo(zone: string): void {
    const waiters = this.#byZone.get(zone) ?? [];
    this.#byZone.set(zone, []);
    for (const waiter of waiters) waiter.give(undefined);
  }

  /** Zones that somebody has asked for. */
  zones(): string[] {
    return [...this.#byZone.keys()];
  }

  /** Deliveries that senders of the zone could take at once. */
  demandOf(zone: string): number {
    return (this.#byZone.get(zone) ?? []).reduce((sum, { count }) => sum + count, 0);
  }
}
