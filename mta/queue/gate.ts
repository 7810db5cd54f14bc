/**
 * Stands before the scheduler: a claimed row goes on to the senders unless an operator's action is just working on it,
 * or a pause concerns it. Nothing that was paused slips through between two looks at the database.
 */
import type { ClaimedRow } from './rows.ts';

export interface PauseCheck {
  mayConcern(row: ClaimedRow): boolean;
  /** Gives claimed rows back, paused. @returns those that no pause concerns, looked at closely */
  pause(rows: ClaimedRow[]): Promise<ClaimedRow[]>;
}

export interface Withdrawal {
  isConcerned(row: ClaimedRow): boolean;
  /** Rows that are claimed and in nobody's hands while the action works on them. */
  taken: ClaimedRow[];
}

export interface GateOptions {
  pauses?: PauseCheck | undefined;
  /** Rows that had been stopped for a pause may go on after all. */
  onPassed(rows: ClaimedRow[]): void;
  onError(error: unknown): void;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #withdrawals = new Set<Withdrawal>();

  constructor(options: GateOptions) {
    this.#options = options;
  }

  open(withdrawal: Withdrawal): void {
    this.#withdrawals.add(withdrawal);
  }

  close(withdrawal: Withdrawal): void {
    this.#withdrawals.delete(withdrawal);
  }

  /** @returns the rows that may go to senders; the others are taken care of */
  admit(rows: ClaimedRow[]): ClaimedRow[] {
    const { pauses, onPassed, onError } = this.#options;
    const kept = this.#passWithdrawals(rows);
    if (!pauses) return kept;
    const stopped = kept.filter((row) => pauses.mayConcern(row));
    if (stopped.length === 0) return kept;
    const isStopped = new Set(stopped);
    // When the database does not answer, their leases run out, and they come here again.
    pauses.pause(stopped).then((passed) => onPassed(this.#passWithdrawals(passed)), onError);
    return kept.filter((row) => !isStopped.has(row));
  }

  #passWithdrawals(rows: ClaimedRow[]): ClaimedRow[] {
    if (this.#withdrawals.size === 0) return rows;
    return rows.filter((row) => {
      const withdrawal = [...this.#withdrawals].find(({ isConcerned }) => isConcerned(row));
      withdrawal?.taken.push(row);
      return withdrawal === undefined;
    });
  }
}
