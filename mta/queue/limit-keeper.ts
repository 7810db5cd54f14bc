/**
 * Limits as this process keeps to them by itself: deliveries at a time, and a bucket of tokens for those started a
 * second. The tokens of a second gather at most, and one at least. Those that all instances keep to together are in
 * shares.ts.
 */

export interface Limit {
  /** Deliveries at a time */
  connections: number;
  /** Deliveries started a second; fractions are possible, no entry means no limit */
  ratePerSecond?: number;
  /** All instances of the queue keep to it together */
  isShared?: true;
}

export type Bound = 'concurrency' | 'rate';

export interface Blockage {
  /** ms since the epoch: when to ask again, `Infinity` when another delivery has to end first */
  until: number;
  /** What holds mail back; undefined: that is not known yet */
  by: Bound | undefined;
}

/** Counts what is under way by the name of a limit. */
export interface LimitKeeper {
  /** Undefined: a delivery may start */
  blockageOf(name: string, limit: Limit, now: number): Blockage | undefined;
  start(name: string, limit: Limit | undefined, now: number): void;
  end(name: string): void;
}

interface Usage {
  inFlight: number;
  bucket: Bucket | undefined;
}

export interface Bucket {
  tokens: number;
  /** ms since the epoch */
  filledAt: number;
}

export class OwnLimits implements LimitKeeper {
  readonly #usage = new Map<string, Usage>();

  inFlight(name: string): number {
    return this.#usage.get(name)?.inFlight ?? 0;
  }

  blockageOf(name: string, { connections, ratePerSecond }: Limit, now: number): Blockage | undefined {
    const usage = this.#usage.get(name);
    if ((usage?.inFlight ?? 0) >= connections) return { until: Number.POSITIVE_INFINITY, by: 'concurrency' };
    if (!usage?.bucket || ratePerSecond === undefined) return undefined;
    const tokenAt = nextTokenAt(usage.bucket, ratePerSecond, now);
    return tokenAt > now ? { until: tokenAt, by: 'rate' } : undefined;
  }

  start(name: string, limit: Limit | undefined, now: number): void {
    const usage = this.#usage.get(name) ?? { inFlight: 0, bucket: undefined };
    this.#usage.set(name, usage);
    usage.inFlight++;
    if (limit?.ratePerSecond === undefined) {
      usage.bucket = undefined;
      return;
    }
    usage.bucket ??= { tokens: 1, filledAt: now };
    takeToken(usage.bucket, limit.ratePerSecond, now);
  }

  end(name: string): void {
    const usage = this.#usage.get(name);
    if (!usage) return;
    usage.inFlight = Math.max(0, usage.inFlight - 1);
    if (usage.inFlight === 0 && !usage.bucket) this.#usage.delete(name);
  }
}

export function takeToken(bucket: Bucket, ratePerSecond: number, now: number): void {
  bucket.tokens = tokensAt(bucket, ratePerSecond, now) - 1;
  bucket.filledAt = now;
}

/** `now`: there is one. */
export function nextTokenAt(bucket: Bucket, ratePerSecond: number, now: number): number {
  const tokens = tokensAt(bucket, ratePerSecond, now);
  return tokens >= 1 ? now : now + ((1 - tokens) / ratePerSecond) * 1000;
}

/** When the clock was set back it counts from there on. */
function tokensAt(bucket: Bucket, ratePerSecond: number, now: number): number {
  bucket.filledAt = Math.min(bucket.filledAt, now);
  const filled = ((now - bucket.filledAt) / 1000) * ratePerSecond;
  return Math.min(Math.max(1, ratePerSecond), bucket.tokens + filled);
}
