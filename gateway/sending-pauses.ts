/** Who was just told that he sends too fast is told so at MAIL for a second, not after each whole message (RS-5). */
const PAUSE_MS = 1_000;

export class SendingPauses {
  readonly #now: () => number;
  readonly #ends = new Map<number, number>();

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  start(tokenId: number): void {
    this.#ends.set(tokenId, this.#now() + PAUSE_MS);
  }

  isPaused(tokenId: number): boolean {
    const end = this.#ends.get(tokenId);
    if (end !== undefined && end <= this.#now()) this.#ends.delete(tokenId);
    return this.#ends.has(tokenId);
  }
}
