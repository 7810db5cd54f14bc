/**
 * This instance's shares of the limits that all instances of the queue keep to together: tokens, a fraction of a second
 * ahead, and deliveries at a time. They are asked for beside the deliveries, for all limits in one round trip to Redis
 * (share-exchange.ts), ten times a second and at once where a limit is new; a delivery never waits for more than that.
 *
 * While Redis does not answer, each instance keeps to its part of a limit by itself: the limit divided by the instances
 * that were seen last. What an instance had when it died is lost: tokens at once, deliveries at a time after 3 s.
 */
import type { Logger } from '../../lib/log.ts';
import {
  type Blockage,
  type Bucket,
  type Limit,
  type LimitKeeper,
  nextTokenAt,
  takeToken,
} from './limit-keeper.ts';
import type { Pacing } from './pacing.ts';
import type { ExchangeResult, ShareExchange, ShareReply, ShareRequest } from './share-exchange.ts';

const EVERY_MS = 100;
/** Tokens are fetched for so long ahead; as many gather in Redis while nobody asks. */
const AHEAD_SECONDS = 0.2;
/** Tokens that lay unused for so long go back: they must not leave in a burst later. */
const UNUSED_MS = 250;
/** Of a limit without mail, from then on, nothing is kept. */
const IDLE_MS = 1_000;
/** A delivery that waits for its share asks again, should nobody wake it. */
const RECHECK_MS = 1_000;
/** How often an instance that has nothing to ask for says that it is there, and one without Redis tries again. */
const SIGN_OF_LIFE_MS = 1_000;
const SILENCE_MS = 60_000;
/** In one round trip; more take turns. */
const MAX_REQUESTS = 500;
const START_MS = 1_000;

interface Share {
  name: string;
  limit: Limit;
  inFlight: number;
  slots: number;
  tokens: number;
  /** A delivery waits for it. */
  isWanted: boolean;
  /** Redis has answered: what is not here is really used up. */
  isKnown: boolean;
  /** While Redis is away */
  bucket: Bucket | undefined;
  /** performance.now() */
  usedAt: number;
  startedAt: number;
  exchangedAt: number;
}

export interface SharesOptions {
  exchange: ShareExchange;
  log: Pick<Logger, 'warn' | 'info'>;
  /** Limits, by name, of which there is more now */
  onMore(names: ReadonlySet<string>): void;
  /** A delivery waits, and there was no token. */
  onDenied?(name: string): void;
}

export class Shares implements LimitKeeper {
  readonly #options: SharesOptions;
  readonly #shares = new Map<string, Share>();
  #pacing: Pacing | undefined;
  #isTogether = true;
  #instances = 1;
  /** Of the clock of Redis, ahead of ours, ms */
  #clockOffset = 0;
  #exchanging: Promise<void> | undefined;
  #isSoon = false;
  #exchangedAt = Number.NEGATIVE_INFINITY;
  #quietUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SharesOptions) {
    this.#options = options;
  }

  /** Paces are agreed on with the same round trips. */
  usePacing(pacing: Pacing | undefined): void {
    this.#pacing = pacing;
  }

  async open(): Promise<void> {
    await this.#options.exchange.ready(START_MS);
    await this.exchange();
    this.#timer = setInterval(() => void this.#exchangeWhenDue(), EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#options.exchange.close();
  }

  /** Whether Redis answers. */
  get isTogether(): boolean {
    return this.#isTogether;
  }

  /** Those that were seen last, this one included. */
  get instances(): number {
    return this.#instances;
  }

  /** ms since the epoch, by the clock that all instances go by */
  readonly now = (): number => Date.now() + this.#clockOffset;

  blockageOf(name: string, limit: Limit, now: number): Blockage | undefined {
    const share = this.#shareOf(name, limit);
    share.usedAt = performance.now();
    const blockage = this.#isTogether ? blockageOf(share, now) : this.#blockageAlone(share, now);
    if (blockage && this.#isTogether) this.#want(share);
    return blockage;
  }

  start(name: string, limit: Limit | undefined, now: number): void {
    if (!limit) return;
    const share = this.#shareOf(name, limit);
    share.inFlight++;
    share.usedAt = share.startedAt = performance.now();
    const { ratePerSecond } = limit;
    if (ratePerSecond === undefined) return;
    if (this.#isTogether) {
      share.tokens = Math.max(0, share.tokens - 1);
      return;
    }
    share.bucket ??= { tokens: 1, filledAt: now };
    takeToken(share.bucket, ratePerSecond / this.#instances, now);
  }

  end(name: string): void {
    const share = this.#shares.get(name);
    if (share) share.inFlight = Math.max(0, share.inFlight - 1);
  }

  /** One round trip, for everything there is to say; where one is under way, that one. */
  exchange(): Promise<void> {
    this.#exchanging ??= this.#exchange().finally(() => {
      this.#exchanging = undefined;
    });
    return this.#exchanging;
  }

  async #exchange(): Promise<void> {
    const startedAt = performance.now();
    this.#exchangedAt = startedAt;
    const shares = this.#listSpeakers();
    const requests = shares.map((share) => this.#requestOf(share, startedAt));
    try {
      this.#receive(await this.#options.exchange.exchange(requests), shares, requests, startedAt);
    } catch (error) {
      this.#goAlone(error);
    }
  }

  #want(share: Share): void {
    if (share.isWanted) return;
    share.isWanted = true;
    if (share.isKnown || this.#isSoon) return; // what is used up comes back with time
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      void this.exchange();
    });
  }

  async #exchangeWhenDue(): Promise<void> {
    const hasNothing = this.#shares.size === 0 || !this.#isTogether;
    if (hasNothing && performance.now() - this.#exchangedAt < SIGN_OF_LIFE_MS) return;
    await this.exchange();
  }

  /** Those that have spoken longest ago, at most so many. */
  #listSpeakers(): Share[] {
    const shares = [...this.#shares.values()];
    if (shares.length <= MAX_REQUESTS) return shares;
    return shares.toSorted((a, b) => a.exchangedAt - b.exchangedAt).slice(0, MAX_REQUESTS);
  }

  #requestOf(share: Share, now: number): ShareRequest {
    const { name, inFlight, isWanted } = share;
    const proposal = this.#pacing?.propose(name);
    // A pace may have changed since a delivery last asked: what it is now goes with it.
    const { connections, ratePerSecond: rate } = proposal?.limit ?? share.limit;
    const isUsed = now - share.startedAt < UNUSED_MS;
    const returned = isUsed || isWanted ? 0 : share.tokens;
    share.tokens -= returned;
    const ahead = Math.max(1, Math.ceil((rate ?? 0) * AHEAD_SECONDS));
    const wanted = rate !== undefined && (isUsed || isWanted) ? Math.max(0, ahead - share.tokens) : 0;
    return {
      ...{ name, rate, inFlight, wanted, returned, concurrency: connections },
      ...{ burstSeconds: AHEAD_SECONDS, wantsSlots: isWanted || now - share.usedAt < IDLE_MS },
      version: proposal?.version,
      pace: proposal?.pace && JSON.stringify(proposal.pace),
    };
  }

  #receive(result: ExchangeResult, shares: Share[], requests: ShareRequest[], startedAt: number): void {
    const endedAt = performance.now();
    this.#clockOffset = result.now - (Date.now() - (endedAt - startedAt) / 2);
    this.#instances = Math.max(1, result.instances);
    const more = new Set<string>();
    for (const [index, share] of shares.entries()) {
      const [request, reply] = [requests[index], result.replies[index]];
      if (!request || !reply) continue;
      if (this.#take(share, request, reply, endedAt)) more.add(share.name);
    }
    if (!this.#isTogether) {
      this.#isTogether = true;
      this.#options.log.info({ instances: this.#instances }, 'limits.shared_again');
    }
    if (more.size > 0) this.#options.onMore(more);
  }

  /** @returns whether a delivery that waits may start */
  #take(share: Share, request: ShareRequest, reply: ShareReply, now: number): boolean {
    const { tokens = 0, slots, version } = reply;
    // Redis counts what it was allowed as held until it has said once more that there is nothing.
    const isForgotten = !request.wantsSlots && share.slots === 0;
    share.tokens += tokens;
    share.slots = slots;
    share.isKnown = true;
    share.exchangedAt = now;
    if (share.isWanted && request.wanted > 0 && tokens === 0) this.#options.onDenied?.(share.name);
    if (version !== undefined) {
      const pace: unknown = reply.pace === undefined ? undefined : JSON.parse(reply.pace);
      this.#pacing?.agree(share.name, { version, isAccepted: reply.accepted ?? false, pace });
    }
    if (isForgotten && share.inFlight === 0 && !share.isWanted) this.#shares.delete(share.name);
    const mayStart = share.inFlight < slots && (share.limit.ratePerSecond === undefined || share.tokens >= 1);
    if (!mayStart || !share.isWanted) return false;
    share.isWanted = false;
    return true;
  }

  /** Redis does not answer: what waits for it goes by our own part. */
  #goAlone(error: unknown): void {
    const waiting = [...this.#shares.values()].filter(({ isWanted }) => isWanted);
    for (const [name, share] of this.#shares) {
      Object.assign(share, { tokens: 0, isWanted: false });
      const isIdle = share.inFlight === 0 && performance.now() - share.usedAt > IDLE_MS;
      // With a token in its bucket, there is nothing to remember: a new one begins with that.
      if (isIdle && !this.#blockageAlone(share, Date.now())) this.#shares.delete(name);
    }
    const wasTogether = this.#isTogether;
    this.#isTogether = false;
    if (performance.now() >= this.#quietUntil) {
      this.#quietUntil = performance.now() + SILENCE_MS;
      this.#options.log.warn({ err: error, instances: this.#instances }, 'limits.redis_failed');
    }
    if (wasTogether && waiting.length > 0) this.#options.onMore(new Set(waiting.map(({ name }) => name)));
  }

  #blockageAlone(share: Share, now: number): Blockage | undefined {
    const { connections, ratePerSecond } = share.limit;
    if (share.inFlight >= Math.max(1, Math.floor(connections / this.#instances)))
      return { until: now + RECHECK_MS, by: 'concurrency' }; // what ends may be of another zone, and wakes nobody here
    if (ratePerSecond === undefined || !share.bucket) return undefined;
    const tokenAt = nextTokenAt(share.bucket, ratePerSecond / this.#instances, now);
    return tokenAt > now ? { until: tokenAt, by: 'rate' } : undefined;
  }

  #shareOf(name: string, limit: Limit): Share {
    const known = this.#shares.get(name);
    if (known) {
      known.limit = limit;
      return known;
    }
    const share: Share = {
      ...{ name, limit, inFlight: 0, slots: 0, tokens: 0, isWanted: false, isKnown: false },
      ...{ bucket: undefined, usedAt: performance.now() },
      ...{ startedAt: Number.NEGATIVE_INFINITY, exchangedAt: Number.NEGATIVE_INFINITY },
    };
    this.#shares.set(name, share);
    return share;
  }
}

function blockageOf({ limit, inFlight, slots, tokens, isKnown }: Share, now: number): Blockage | undefined {
  const until = now + RECHECK_MS;
  if (inFlight >= slots) return { until, by: isKnown ? 'concurrency' : undefined };
  if (limit.ratePerSecond === undefined || tokens >= 1) return undefined;
  return { until, by: isKnown ? 'rate' : undefined };
}
