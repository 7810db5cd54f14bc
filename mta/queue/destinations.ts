/**
 * Limits of destinations, within a zone: deliveries at a time and deliveries a second, to a recipient domain and to a
 * site (the provider behind the MX records of many domains); less where a destination pushes back. Pure bookkeeping:
 * who may start, who has ended.
 */
import { type ListedSlowdown, type Reaction, Slowdowns } from './slowdowns.ts';

export interface Limit {
  /** Deliveries at a time */
  connections: number;
  /** Deliveries started a second; fractions are possible, no entry means no limit */
  ratePerSecond?: number;
}

/** The limit of a destination: a domain, or a site written as `site:name`. Undefined: none. */
export type LimitOf = (destination: string) => Limit | undefined;

/** Told which limit of a destination holds a delivery back. */
export type OnBlocked = (destination: string, by: 'concurrency' | 'rate') => void;

interface Usage {
  inFlight: number;
  tokens: number;
  filledAt: number;
}

/** What the end of a delivery tells about its destination. */
export interface Experience {
  reaction: Reaction | undefined;
  response: string;
  /** ms since the epoch */
  now: number;
}

interface EndOfDelivery {
  zone: string;
  domain: string;
  /** The domain, or its site */
  destination: string;
  /** Of the destination, without this one */
  inFlight: number;
}

export class Destinations {
  readonly slowdowns: Slowdowns;
  readonly #limitOf: LimitOf;
  readonly #onBlocked: OnBlocked;
  readonly #usage = new Map<string, Usage>();
  readonly #siteOf = new Map<string, string>();
  /** By zone and site, the one domain of it that has pushed back since the site's last answer. */
  readonly #suspects = new Map<string, string>();

  constructor(
    limitOf: LimitOf,
    onSlowdown?: (slowdown: ListedSlowdown, isOver: boolean) => void,
    onBlocked: OnBlocked = () => {},
  ) {
    this.#limitOf = limitOf;
    this.#onBlocked = onBlocked;
    this.slowdowns = new Slowdowns(onSlowdown);
  }

  /** A delivery has shown which provider the domain's MX belongs to. */
  setSite(domain: string, site: string): void {
    this.#siteOf.set(domain, site);
  }

  siteOf(domain: string): string | undefined {
    return this.#siteOf.get(domain);
  }

  /** The site of the domain, where it has a limit or is slowed down. */
  limitedSiteOf(zone: string, domain: string): string | undefined {
    const site = this.#siteOf.get(domain);
    if (site === undefined) return undefined;
    const destination = `site:${site}`;
    const limit = this.#limitOf(destination) ?? this.slowdowns.connectionsOf(zone, destination);
    return limit === undefined ? undefined : site;
  }

  /** Whether the domain, or its site, gets less than its limit because it pushes back. */
  isSlowed(zone: string, domain: string): boolean {
    return this.#destinationsOf(domain).some(
      (destination) => this.slowdowns.connectionsOf(zone, destination) !== undefined,
    );
  }

  inFlight(zone: string, destination: string): number {
    return this.#usage.get(`${zone} ${destination}`)?.inFlight ?? 0;
  }

  /** Undefined when a delivery may start now; otherwise when to ask again, `Infinity` when another has to end first. */
  blockedUntil(zone: string, domain: string, now: number): number | undefined {
    let until: number | undefined;
    for (const destination of this.#destinationsOf(domain)) {
      const limit = this.#limitOf(destination);
      const usage = this.#usage.get(`${zone} ${destination}`);
      const slowed = this.slowdowns.connectionsOf(zone, destination);
      const connections = Math.min(limit?.connections ?? Infinity, slowed ?? Infinity);
      if ((usage?.inFlight ?? 0) >= connections) {
        this.#onBlocked(destination, 'concurrency');
        return Number.POSITIVE_INFINITY;
      }
      const tokenAt = usage && limit ? nextTokenAt(usage, limit, now) : now;
      if (tokenAt > now) this.#onBlocked(destination, 'rate');
      const startAt = Math.max(tokenAt, this.slowdowns.pausedUntil(zone, destination, now) ?? now);
      if (startAt > now) until = Math.max(until ?? 0, startAt);
    }
    return until;
  }

  start(zone: string, domain: string, now: number): void {
    for (const destination of this.#destinationsOf(domain)) {
      const key = `${zone} ${destination}`;
      const usage = this.#usage.get(key) ?? { inFlight: 0, tokens: 1, filledAt: now };
      this.#usage.set(key, usage);
      usage.inFlight++;
      const rate = this.#limitOf(destination)?.ratePerSecond;
      if (rate !== undefined) {
        fill(usage, rate, now);
        usage.tokens -= 1;
      }
    }
  }

  end(zone: string, domain: string, experience?: Experience): void {
    for (const destination of this.#destinationsOf(domain)) {
      const key = `${zone} ${destination}`;
      const usage = this.#usage.get(key);
      if (!usage) continue;
      // A site that was learned while its deliveries were under way counts their ends without their starts.
      usage.inFlight = Math.max(0, usage.inFlight - 1);
      this.#learn({ zone, domain, destination, inFlight: usage.inFlight }, experience);
      if (usage.inFlight === 0 && this.#limitOf(destination)?.ratePerSecond === undefined)
        this.#usage.delete(key);
    }
  }

  #learn({ domain, ...end }: EndOfDelivery, experience: Experience | undefined): void {
    const { zone, destination } = end;
    const key = `${zone} ${destination}`;
    const { reaction, response = '', now = 0 } = experience ?? {};
    if (reaction === 'answer') {
      this.#suspects.delete(key);
      this.slowdowns.answer(zone, destination, now);
    } else if (reaction === 'pushback' && !this.#isItsDomainAlone(key, domain, destination)) {
      const limit = this.#limitOf(destination)?.connections;
      this.slowdowns.pushBack({ ...end, limit, response, now });
    } else {
      this.slowdowns.pass(zone, destination);
    }
  }

  /** Of a site that pushes back: one dead domain does not slow the others; two in a row are the site's own fault. */
  #isItsDomainAlone(key: string, domain: string, destination: string): boolean {
    if (destination === domain) return false;
    const suspect = this.#suspects.get(key) ?? domain;
    this.#suspects.set(key, suspect);
    return suspect === domain;
  }

  #destinationsOf(domain: string): string[] {
    const site = this.#siteOf.get(domain);
    return site === undefined ? [domain] : [domain, `site:${site}`];
  }
}

/** Bursts are one second's worth, at least one. */
function fill(usage: Usage, ratePerSecond: number, now: number): void {
  const burst = Math.max(1, ratePerSecond);
  usage.tokens = Math.min(burst, usage.tokens + secondsSinceFilled(usage, now) * ratePerSecond);
  usage.filledAt = now;
}

function nextTokenAt(usage: Usage, { ratePerSecond }: Limit, now: number): number {
  if (ratePerSecond === undefined) return now;
  const tokens = Math.min(
    Math.max(1, ratePerSecond),
    usage.tokens + secondsSinceFilled(usage, now) * ratePerSecond,
  );
  return tokens >= 1 ? now : now + ((1 - tokens) / ratePerSecond) * 1000;
}

/** When the clock was set back it counts from there on. */
function secondsSinceFilled(usage: Usage, now: number): number {
  usage.filledAt = Math.min(usage.filledAt, now);
  return (now - usage.filledAt) / 1000;
}
