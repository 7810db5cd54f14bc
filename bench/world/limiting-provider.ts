/** A provider with limits that it does not tell, which change over time. Virtual time; nothing is sent. */

export interface HiddenLimits {
  /** ms since the start, from when on they hold */
  from: number;
  ratePerSecond: number;
  connections: number;
}

export class LimitingProvider {
  readonly #phases: readonly HiddenLimits[];
  #tokens = 0;
  #filledAt = 0;
  #open = 0;

  /** @param phases in the order of time, the first from 0 */
  constructor(phases: readonly HiddenLimits[]) {
    this.#phases = phases;
  }

  limitsAt(now: number): HiddenLimits {
    const limits = this.#phases.findLast(({ from }) => from <= now);
    if (!limits) throw new Error('the first phase must begin at 0');
    return limits;
  }

  /** Somebody begins a delivery. @returns whether it is taken; either way `end` follows */
  begin(now: number): boolean {
    const { ratePerSecond, connections } = this.limitsAt(now);
    const earned = ((now - this.#filledAt) / 1000) * ratePerSecond;
    this.#tokens = Math.min(ratePerSecond, this.#tokens + earned); // one second's worth
    this.#filledAt = now;
    this.#open++;
    if (this.#open > connections || this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  end(): void {
    this.#open--;
  }
}
