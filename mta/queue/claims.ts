/**
 * Who delivers what, now. Senders ask for a delivery and wait here until there is one: no polling, no "empty" pause.
 *
 * A claim is a row's `claim_id` with a lease (`claimed_until`), and an entry in memory that counts against the
 * destination's limit. It ends when its sender reports an ending, when the sender's connection closes (then the row
 * is due again at once), or when nobody has renewed the lease: see leases.ts.
 */
import type pg from 'pg';
import type { Logger } from '../../lib/log.ts';
import { type ClaimedRow, findDue, takeClaims } from './claim-rows.ts';

/** Due mail of a zone is looked for this often even when nobody announced any: deferred mail becomes due by itself. */
const LOOK_INTERVAL_MS = 1_000;
/** Rows looked at for each delivery wanted: some belong to destinations that are at their limit. */
const CANDIDATES_PER_WAITER = 4;
/** A delivery that has not ended after this long is given up: its lease is no longer renewed. */
const LONGEST_CLAIM_MS = 3_600_000;

export interface Waiter {
  zone: string;
  /** The sender process. */
  owner: string;
  /** Deliveries at a time to one recipient domain. */
  limitOf(domain: string): number;
  give(claimed: ClaimedRow | undefined): void;
}

interface ActiveClaim {
  row: ClaimedRow;
  owner: string;
  since: number;
}

export interface ClaimsOptions {
  pool: pg.Pool;
  instanceId: string;
  leaseSeconds: number;
  log: Logger;
}

export class Claims {
  readonly #options: ClaimsOptions;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #active = new Map<string, ActiveClaim>();
  readonly #activeByMessage = new Map<string, number>();
  readonly #countByDestination = new Map<string, number>();
  readonly #looking = new Set<string>();
  readonly #lookAgain = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #closed = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.wakeAll(), LOOK_INTERVAL_MS).unref();
  }

  /** Waits for a delivery of the zone. `give` is called once, with nothing when the queue closes. */
  wait(waiter: Waiter): void {
    if (this.#closed) {
      waiter.give(undefined);
      return;
    }
    const waiters = this.#waiters.get(waiter.zone) ?? new Set();
    this.#waiters.set(waiter.zone, waiters.add(waiter));
    this.wake(waiter.zone);
  }

  /** There may be something to deliver in this zone. */
  wake(zone: string): void {
    if (this.#looking.has(zone)) {
      this.#lookAgain.add(zone);
      return;
    }
    if ((this.#waiters.get(zone)?.size ?? 0) === 0) return;
    this.#looking.add(zone);
    this.#look(zone)
      .catch((error: unknown) => this.#options.log.error({ err: error, zone }, 'claims.look_failed'))
      .finally(() => {
        this.#looking.delete(zone);
        if (this.#lookAgain.delete(zone)) this.wake(zone);
      });
  }

  wakeAll(): void {
    for (const zone of this.#waiters.keys()) this.wake(zone);
  }

  find(key: string): ClaimedRow | undefined {
    return this.#active.get(key)?.row;
  }

  isHandedOut(queueId: string): boolean {
    return (this.#activeByMessage.get(queueId) ?? 0) > 0;
  }

  /** The delivery of this claim has ended, and its row says so. */
  release(key: string): boolean {
    const claim = this.#active.get(key);
    if (!claim) return false;
    this.#active.delete(key);
    this.#count(claim.row, -1);
    this.wake(claim.row.zone);
    return true;
  }

  /** A sender process is gone: what it had is due again. */
  async releaseOwner(owner: string): Promise<void> {
    for (const waiters of this.#waiters.values()) {
      for (const waiter of waiters) if (waiter.owner === owner) waiters.delete(waiter);
    }
    const lost = [...this.#active].filter(([, claim]) => claim.owner === owner);
    for (const [key] of lost) this.release(key);
    await this.#giveBack(lost.map(([, claim]) => claim.row));
  }

  /** Claim ids whose leases are to be renewed. */
  liveClaimIds(): string[] {
    const oldest = Date.now() - LONGEST_CLAIM_MS;
    return [...this.#active.values()]
      .filter((claim) => claim.since > oldest)
      .map((claim) => claim.row.claim_id);
  }

  get activeCount(): number {
    return this.#active.size;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.give(undefined);
    this.#waiters.clear();
  }

  /** Hands out due deliveries until there are none, or nobody waits, or all destinations are at their limit. */
  async #look(zone: string): Promise<void> {
    const { pool, instanceId, leaseSeconds } = this.#options;
    const atLimit = new Set<string>();
    for (;;) {
      const wanted = this.#waiters.get(zone)?.size ?? 0;
      if (wanted === 0 || this.#closed) return;
      const limit = wanted * CANDIDATES_PER_WAITER;
      const due = await findDue(pool, { zone, skipDomains: [...atLimit], limit });
      const picked = this.#pick(zone, due, wanted, atLimit);
      if (picked.length > 0) {
        const rows = await takeClaims(pool, { instanceId, leaseSeconds, picked });
        for (const row of rows) this.#handOut(zone, row);
      }
      if (due.length < limit && picked.length < wanted) return;
    }
  }

  /** Of the due rows those that their destinations' limits leave room for; notes the full destinations. */
  #pick<Row extends { domain: string }>(
    zone: string,
    due: Row[],
    wanted: number,
    atLimit: Set<string>,
  ): Row[] {
    const limitOf = this.#anyWaiter(zone)?.limitOf ?? (() => 0);
    const picked: Row[] = [];
    const planned = new Map<string, number>();
    for (const row of due) {
      if (picked.length >= wanted) break;
      const count =
        (this.#countByDestination.get(`${zone} ${row.domain}`) ?? 0) + (planned.get(row.domain) ?? 0);
      if (count >= limitOf(row.domain)) {
        atLimit.add(row.domain);
        continue;
      }
      planned.set(row.domain, (planned.get(row.domain) ?? 0) + 1);
      picked.push(row);
    }
    return picked;
  }

  #handOut(zone: string, row: ClaimedRow): void {
    const waiter = this.#anyWaiter(zone);
    if (!waiter) {
      // The senders that asked have died or the queue is closing.
      void this.#giveBack([row]);
      return;
    }
    this.#waiters.get(zone)?.delete(waiter);
    this.#active.set(claimKey(row), { row, owner: waiter.owner, since: Date.now() });
    this.#count(row, 1);
    waiter.give(row);
  }

  #anyWaiter(zone: string): Waiter | undefined {
    return this.#waiters.get(zone)?.values().next().value;
  }

  #count({ zone, domain, queue_id }: ClaimedRow, change: number): void {
    addTo(this.#countByDestination, `${zone} ${domain}`, change);
    addTo(this.#activeByMessage, queue_id, change);
  }

  /** The rows are due again. When the database does not answer, their leases run out instead. */
  async #giveBack(rows: ClaimedRow[]): Promise<void> {
    if (rows.length === 0) return;
    const ids = rows.map((row) => row.claim_id);
    try {
      await this.#options.pool.query(
        `update deliveries
            set claim_id = null, claimed_by = null, claimed_until = null
          where claim_id = any($1)`,
        [ids],
      );
      this.wakeAll();
    } catch (error) {
      this.#options.log.warn({ err: error, claims: ids.length }, 'claims.give_back_failed');
    }
  }
}

/** ZoneMTA names a claim by its lock key. */
export function claimKey({ queue_id, sequence }: { queue_id: string; sequence: string }): string {
  return `lock ${queue_id} ${sequence}`;
}

function addTo(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
