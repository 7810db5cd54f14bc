/**
 * Group commit: what comes in while a flush is under way goes with the next one. An idle group flushes at once, so a
 * single item waits for nobody; a busy one shares each round trip and each fsync between many. One flush at a time: two
 * make smaller groups, which cost Postgres a quarter more CPU and gain nothing (bench/throughput).
 */

export interface GroupOptions<Item, Result> {
  /** Handles all items, and gives their results in the same order; or fails for all of them. */
  flush(items: Item[]): Promise<Result[]>;
  maxItems: number;
  /** Of one flush, as sizeOf counts it; a larger item goes alone. */
  maxSize?: number;
  sizeOf?(item: Item): number;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

export class Group<Item, Result> {
  readonly #options: GroupOptions<Item, Result>;
  readonly #waiting: Waiting<Item, Result>[] = [];
  #isFlushing = false;

  constructor(options: GroupOptions<Item, Result>) {
    this.#options = options;
  }

  add(item: Item): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    this.#waiting.push({ item, resolve, reject });
    this.#flushNext();
    return promise;
  }

  #flushNext(): void {
    if (this.#waiting.length === 0 || this.#isFlushing) return;
    const batch = this.#takeBatch();
    this.#isFlushing = true;
    this.#options
      .flush(batch.map(({ item }) => item))
      .then(
        (results) => {
          for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result);
        },
        (error: unknown) => {
          for (const { reject } of batch) reject(error);
        },
      )
      .finally(() => {
        this.#isFlushing = false;
        this.#flushNext();
      });
  }

  #takeBatch(): Waiting<Item, Result>[] {
    const { maxItems, maxSize = Number.POSITIVE_INFINITY, sizeOf = () => 1 } = this.#options;
    let size = 0;
    const count = this.#waiting.findIndex(({ item }, index) => {
      size += sizeOf(item);
      return index >= maxItems || (size > maxSize && index > 0);
    });
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : count);
  }
}
