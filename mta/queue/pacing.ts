/**
 * The pace of each site that this instance sends to: what lib/pacing/controller.ts makes of the replies. In memory; a
 * new master begins at the rules of config/sites. An operator's limit for a site takes the place of its pace.
 */
import { type Bound, type Change, fall, type Pace, rise, startPace } from '../../lib/pacing/controller.ts';
import { type PaceRule, paceOf } from '../../lib/sites.ts';
import type { EndedDelivery } from './claims.ts';
import type { Limit } from './destinations.ts';

const PREFIX = 'site:';
/** A site that nothing was refused by or waited for so long begins at its rule again. */
const FORGOTTEN_AFTER_MS = 3_600_000;

export interface PaceChange extends Change {
  site: string;
  before: Pace;
}

interface Site {
  rule: PaceRule;
  pace: Pace;
  /** What has held mail back in this window */
  bound: Bound;
  usedAt: number;
}

export class Pacing {
  readonly #sites = new Map<string, Site>();
  readonly #onChange: (change: PaceChange) => void;
  readonly #now: () => number;

  /** @param onChange told of every pace that is another now, and why */
  constructor(onChange: (change: PaceChange) => void, now: () => number = Date.now) {
    this.#onChange = onChange;
    this.#now = now;
  }

  /** Of `site:name`; domains have no pace. */
  limitOf(destination: string): Limit | undefined {
    if (!destination.startsWith(PREFIX)) return undefined;
    const { concurrency, rate } = this.#siteOf(destination.slice(PREFIX.length)).pace;
    return { connections: Math.max(1, Math.floor(concurrency)), ratePerSecond: rate };
  }

  /** A delivery waits because of this limit. */
  noteBlocked(destination: string, by: keyof Bound): void {
    if (destination.startsWith(PREFIX)) this.#siteOf(destination.slice(PREFIX.length)).bound[by] = true;
  }

  /** @param startedAt ms since the epoch, when the delivery was handed out */
  noteEnding({ site, verdict }: Pick<EndedDelivery, 'site' | 'verdict'>, startedAt: number): void {
    if (site === undefined || verdict === undefined) return;
    const state = this.#siteOf(site);
    const now = this.#now();
    this.#apply(site, fall(state.pace, state.rule, { verdict, startedAt, bound: state.bound, now }));
  }

  /** In the order of the names. Times in ISO 8601. */
  list() {
    return [...this.#sites]
      .map(([site, { pace }]) => ({
        ...{ site, concurrency: pace.concurrency, rate: pace.rate, falls: pace.falls },
        fallenAt: pace.fallenAt === 0 ? null : new Date(pace.fallenAt).toISOString(),
        cleanSince: new Date(pace.cleanSince).toISOString(),
      }))
      .sort((a, b) => (a.site < b.site ? -1 : 1));
  }

  /** Raises what has been clean for long enough. Call it every second or so. @returns whether a pace has risen */
  tick(): boolean {
    const now = this.#now();
    let hasRisen = false;
    for (const [name, site] of this.#sites) {
      if (now - site.usedAt > FORGOTTEN_AFTER_MS) this.#sites.delete(name);
      else hasRisen = this.#apply(name, rise(site.pace, site.rule, site.bound, now)) || hasRisen;
    }
    return hasRisen;
  }

  #apply(name: string, change: Change | undefined): boolean {
    if (!change) return false;
    const site = this.#siteOf(name);
    const before = site.pace;
    site.pace = change.pace;
    site.bound = { concurrency: false, rate: false };
    if (before.rate === site.pace.rate && before.concurrency === site.pace.concurrency) return false;
    this.#onChange({ site: name, before, ...change });
    return true;
  }

  #siteOf(name: string): Site {
    const now = this.#now();
    const rule = paceOf(name);
    const site = this.#sites.get(name) ?? {
      ...{ rule, pace: startPace(rule, now), bound: { concurrency: false, rate: false }, usedAt: now },
    };
    site.usedAt = now;
    this.#sites.set(name, site);
    return site;
  }
}
