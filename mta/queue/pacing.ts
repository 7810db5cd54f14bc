/**
 * The pace of each local address at each site: what lib/pacing/controller.ts makes of the replies. Instances of one queue
 * agree on it (shares.ts): what an instance concludes from its replies is proposed, and holds for all when nobody else
 * was first; otherwise it is concluded again from what the others have made of it. Alone, an instance is always first.
 * An operator's limit for a site takes the place of its paces.
 */
import Type from 'typebox';
import Value from 'typebox/value';
import {
  type Bound,
  type Change,
  fall,
  type Pace,
  type Refusal,
  rise,
  startPace,
  WINDOW_MS,
} from '../../lib/pacing/controller.ts';
import { type PaceRule, paceOf } from '../../lib/sites.ts';
import { paceName } from './destinations.ts';
import type { EndedDelivery } from './ended-delivery.ts';
import type { Limit } from './limit-keeper.ts';

/** A pace that nothing was refused by or waited for so long begins at its rule again. */
const FORGOTTEN_AFTER_MS = 3_600_000;
/** A window that holds no mail back here may hold it back at another instance: that one speaks first. */
const PATIENCE_MS = 5_000;

const paceSchema = Type.Object({
  concurrency: Type.Number(),
  rate: Type.Number(),
  falls: Type.Integer(),
  fallenAt: Type.Number(),
  cleanSince: Type.Number(),
});

export interface PaceChange extends Change {
  address: string;
  site: string;
  before: Pace;
}

/** A pace as instances tell each other. */
export interface Proposal {
  /** What it follows from; 0: nothing that others know */
  version: number;
  /** Undefined: nothing new */
  pace: Pace | undefined;
  /** What the pace comes to */
  limit: Limit;
}

export interface Agreement {
  /** Of what holds now; 0: nobody else knows of it */
  version: number;
  /** What this instance has proposed holds. */
  isAccepted: boolean;
  pace: unknown;
}

/** What this instance has concluded, and nobody knows of yet */
interface Step extends Change {
  before: Pace;
  /** Undefined: it has risen */
  refusal: Refusal | undefined;
}

interface State {
  address: string;
  site: string;
  rule: PaceRule;
  pace: Pace;
  version: number;
  steps: Step[];
  /** Of them, those that are on their way */
  proposed: number;
  /** The others have to hear of it: it changed while there was nobody to ask. */
  isAhead: boolean;
  /** What has held mail back in this window */
  bound: Bound;
  usedAt: number;
}

export interface PacingOptions {
  /** Told of every pace that is another now, and why */
  onChange(change: PaceChange): void;
  /** Whether others are asked (`propose`, `agree`); otherwise what is concluded here holds at once. */
  isShared?(): boolean;
  /** ms since the epoch, by the clock that all instances go by */
  now?: () => number;
}

export class Pacing {
  readonly #states = new Map<string, State>();
  readonly #onChange: (change: PaceChange) => void;
  readonly #isShared: () => boolean;
  readonly #now: () => number;

  constructor({ onChange, isShared = () => false, now = Date.now }: PacingOptions) {
    this.#onChange = onChange;
    this.#isShared = isShared;
    this.#now = now;
  }

  limitOf(address: string, site: string): Limit {
    return limitFrom(this.#stateOf(address, site).pace);
  }

  /** A delivery waits because of it. */
  noteBlocked(address: string, site: string, by: keyof Bound): void {
    this.#stateOf(address, site).bound[by] = true;
  }

  /** @param source the address that the delivery left from @param tookMs since it was handed out */
  noteEnding(
    { source, site, verdict }: Pick<EndedDelivery, 'source' | 'site' | 'verdict'>,
    tookMs: number,
  ): void {
    if (source === undefined || site === undefined || verdict === undefined) return;
    const state = this.#stateOf(source, site);
    const now = this.#now();
    const refusal = { verdict, startedAt: now - tookMs, bound: state.bound, now };
    this.#step(state, fall(state.pace, state.rule, refusal), refusal);
    this.#settle(state);
  }

  /** In the order of sites and addresses. Times in ISO 8601. */
  list() {
    return [...this.#states.values()]
      .map(({ address, site, pace }) => ({
        ...{ address, site, concurrency: pace.concurrency, rate: pace.rate, falls: pace.falls },
        fallenAt: pace.fallenAt === 0 ? null : new Date(pace.fallenAt).toISOString(),
        cleanSince: new Date(pace.cleanSince).toISOString(),
      }))
      .sort((a, b) => (`${a.site} ${a.address}` < `${b.site} ${b.address}` ? -1 : 1));
  }

  /** Raises what has been clean for long enough. Call it every second or so. @returns whether a pace has risen */
  tick(): boolean {
    const now = this.#now();
    let hasRisen = false;
    for (const [name, state] of this.#states) {
      if (now - state.usedAt > FORGOTTEN_AFTER_MS) this.#states.delete(name);
      else if (state.steps.length === 0) hasRisen = this.#rise(state, now) || hasRisen;
      this.#settle(state);
    }
    return hasRisen;
  }

  /** What the other instances are to be told of the pace with this name (destinations.ts). Undefined: not a pace. */
  propose(name: string): Proposal | undefined {
    const state = this.#states.get(name);
    if (!state) return undefined;
    state.proposed = state.steps.length;
    const isNew = state.version === 0 || state.isAhead || state.proposed > 0;
    const { version, pace } = state;
    return { version, pace: isNew ? pace : undefined, limit: limitFrom(pace) };
  }

  /** What came of the proposal. @returns whether the pace is another now */
  agree(name: string, { version, isAccepted, pace }: Agreement): boolean {
    const state = this.#states.get(name);
    if (!state) return false;
    const isOthers = !isAccepted && version !== state.version;
    state.version = version;
    if (isAccepted) {
      state.isAhead = false;
      for (const step of state.steps.splice(0, state.proposed)) this.#tell(state, step);
    }
    state.proposed = 0;
    if (!isOthers || !Value.Check(paceSchema, pace)) return false;
    const before = state.pace;
    const steps = state.steps.splice(0);
    Object.assign(state, { pace, isAhead: false });
    for (const { refusal } of steps) {
      if (refusal) this.#step(state, fall(state.pace, state.rule, refusal), refusal);
    }
    return before.rate !== state.pace.rate || before.concurrency !== state.pace.concurrency;
  }

  #rise(state: State, now: number): boolean {
    const isBound = state.bound.concurrency || state.bound.rate;
    const cleanMs = now - state.pace.cleanSince;
    if (this.#isShared() && !isBound && cleanMs >= 0 && cleanMs < WINDOW_MS + PATIENCE_MS) return false;
    const before = state.pace;
    this.#step(state, rise(state.pace, state.rule, state.bound, now), undefined);
    return before.rate !== state.pace.rate || before.concurrency !== state.pace.concurrency;
  }

  #step(state: State, change: Change | undefined, refusal: Refusal | undefined): void {
    if (!change) return;
    state.steps.push({ ...change, before: state.pace, refusal });
    state.pace = change.pace;
    state.bound = { concurrency: false, rate: false };
  }

  /** With nobody to ask, what was concluded holds. */
  #settle(state: State): void {
    if (this.#isShared() || state.steps.length === 0) return;
    state.isAhead = true;
    state.proposed = 0;
    for (const step of state.steps.splice(0)) this.#tell(state, step);
  }

  #tell({ address, site }: State, { before, pace, trigger }: Step): void {
    if (before.rate === pace.rate && before.concurrency === pace.concurrency) return;
    this.#onChange({ address, site, before, pace, trigger });
  }

  #stateOf(address: string, site: string): State {
    const now = this.#now();
    const name = paceName(address, site);
    const known = this.#states.get(name);
    if (known) {
      known.usedAt = now;
      return known;
    }
    const rule = paceOf(site);
    const state: State = {
      ...{ address, site, rule, pace: startPace(rule, now), version: 0, steps: [], proposed: 0 },
      ...{ isAhead: false, bound: { concurrency: false, rate: false }, usedAt: now },
    };
    this.#states.set(name, state);
    return state;
  }
}

function limitFrom({ concurrency, rate }: Pace): Limit {
  return { connections: Math.max(1, Math.floor(concurrency)), ratePerSecond: rate };
}
