/** Deliveries in the hands of sender processes. */
import { type ClaimedRow, type RowKey, rowKey } from './rows.ts';

/** A delivery that has not ended after this long is given up: its lease is no longer renewed. */
const LONGEST_CLAIM_MS = 3_600_000;

export interface ActiveClaim {
  row: ClaimedRow;
  /** The sender process */
  owner: string;
  /** performance.now(): a clock that is set must not make live claims look old */
  since: number;
}

export class ActiveClaims {
  readonly #claims = new Map<string, ActiveClaim>();

  get count(): number {
    return this.#claims.size;
  }

  /** From now on it is in the hands of the owner. */
  add(row: ClaimedRow, owner: string): void {
    this.#claims.set(rowKey(row), { row, owner, since: performance.now() });
  }

  /** It is in nobody's hands any more. Undefined: it was not. */
  take(key: RowKey): ActiveClaim | undefined {
    const claim = this.#claims.get(rowKey(key));
    this.#claims.delete(rowKey(key));
    return claim;
  }

  /** As `take`, of all that a process has. */
  takeOf(owner: string): ClaimedRow[] {
    const rows = [...this.#claims.values()].filter((claim) => claim.owner === owner).map(({ row }) => row);
    for (const row of rows) this.#claims.delete(rowKey(row));
    return rows;
  }

  countOf(zone: string): number {
    return [...this.#claims.values()].filter(({ row }) => row.zone === zone).length;
  }

  /** Those that may still end. */
  liveRows(): ClaimedRow[] {
    const oldest = performance.now() - LONGEST_CLAIM_MS;
    return [...this.#claims.values()].filter((claim) => claim.since > oldest).map(({ row }) => row);
  }
}
