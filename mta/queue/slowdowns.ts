/**
 * Destinations that push back: they answer 421, or cannot be connected to. Each round of that halves how many
 * deliveries they get at a time, down to one; when even that one is pushed back they are left alone, for a second, then
 * for two, at most for a minute. Each answer of theirs allows one more at a time, until they are where they were.
 * Pure bookkeeping, by zone and destination; no clock of its own.
 */

const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 60_000;
/** Without a word from it for so long, a destination starts afresh. */
const FORGOTTEN_AFTER_MS = 3_600_000;

/** `pushback`: not now, whatever it is; `answer`: it took it, or refused this one. */
export type Reaction = 'pushback' | 'answer';

export interface Slowdown {
  /** Deliveries at a time, for now */
  connections: number;
  /** ms since the epoch: nothing before that; 0 where that does not hold */
  retryAt: number;
  since: number;
  /** What it said, or why it could not be reached */
  response: string;
}

export interface ListedSlowdown extends Slowdown {
  zone: string;
  /** A domain, or `site:name` */
  destination: string;
}

interface State extends ListedSlowdown {
  /** Deliveries at a time from which on it is no longer slowed */
  ceiling: number;
  /** Deliveries under way that began before it was slowed down last: they tell nothing new. */
  leftOfRound: number;
  /** Of the next time that it is left alone */
  pauseMs: number;
  changedAt: number;
}

export interface Pushback {
  zone: string;
  destination: string;
  /** Its own limit; undefined: none */
  limit: number | undefined;
  /** Deliveries to it that are still under way */
  inFlight: number;
  response: string;
  /** ms since the epoch */
  now: number;
}

export class Slowdowns {
  readonly #states = new Map<string, State>();
  readonly #onChange: (slowdown: ListedSlowdown, isOver: boolean) => void;

  /** @param onChange told when a destination begins to be slowed down, and when that is over */
  constructor(onChange: (slowdown: ListedSlowdown, isOver: boolean) => void = () => {}) {
    this.#onChange = onChange;
  }

  /** How many at a time; undefined: as many as its limit says. */
  connectionsOf(zone: string, destination: string): number | undefined {
    return this.#states.get(`${zone} ${destination}`)?.connections;
  }

  /** Until when it is left alone; undefined where it is not. */
  pausedUntil(zone: string, destination: string, now: number): number | undefined {
    const retryAt = this.#states.get(`${zone} ${destination}`)?.retryAt ?? 0;
    // Further away than any pause: the clock was set back.
    return retryAt > now && retryAt - now <= LAST_PAUSE_MS ? retryAt : undefined;
  }

  pushBack({ zone, destination, limit, inFlight, response, now }: Pushback): void {
    const key = `${zone} ${destination}`;
    const state = this.#states.get(key) ?? {
      ...{ zone, destination, since: now, response, retryAt: 0, leftOfRound: 0, pauseMs: FIRST_PAUSE_MS },
      ...{ ceiling: limit ?? inFlight + 1, connections: inFlight + 1, changedAt: now },
    };
    Object.assign(state, { response, changedAt: now });
    if (this.#isOfEarlierRound(state)) return;
    if (state.connections > 1) {
      state.connections = Math.floor(state.connections / 2);
    } else {
      state.retryAt = now + state.pauseMs;
      state.pauseMs = Math.min(state.pauseMs * 2, LAST_PAUSE_MS);
    }
    state.leftOfRound = inFlight;
    if (this.#states.has(key)) return;
    this.#states.set(key, state);
    this.#onChange(state, false);
  }

  answer(zone: string, destination: string, now: number): void {
    const key = `${zone} ${destination}`;
    const state = this.#states.get(key);
    if (!state) return;
    this.#isOfEarlierRound(state);
    state.connections++;
    Object.assign(state, { retryAt: 0, pauseMs: FIRST_PAUSE_MS, changedAt: now });
    if (state.connections >= state.ceiling) this.#forget(key, state);
  }

  /** An ending that tells nothing about the destination. */
  pass(zone: string, destination: string): void {
    const state = this.#states.get(`${zone} ${destination}`);
    if (state) this.#isOfEarlierRound(state);
  }

  get count(): number {
    return this.#states.size;
  }

  list(): ListedSlowdown[] {
    return [...this.#states.values()].map(
      ({ ceiling: _, leftOfRound: _left, pauseMs: _pause, changedAt: _changed, ...listed }) => listed,
    );
  }

  /** They may be tried again as if nothing had been. */
  clear(isMeant: (slowdown: ListedSlowdown) => boolean): void {
    for (const [key, state] of this.#states) if (isMeant(state)) this.#forget(key, state);
  }

  forgetOld(now: number): void {
    for (const [key, state] of this.#states)
      if (now - state.changedAt > FORGOTTEN_AFTER_MS) this.#forget(key, state);
  }

  #isOfEarlierRound(state: State): boolean {
    if (state.leftOfRound === 0) return false;
    state.leftOfRound--;
    return true;
  }

  #forget(key: string, state: State): void {
    this.#states.delete(key);
    this.#onChange(state, true);
  }
}
