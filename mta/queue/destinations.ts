/**
 * Limits of destinations, within a zone: deliveries at a time and deliveries a second, to a recipient domain and to a
 * site (the provider behind the MX records of many domains); less where a destination pushes back; and the pace of a
 * local address at a site. Pure bookkeeping: who may start, who has ended.
 */
import { type Bound, type Limit, type LimitKeeper, OwnLimits } from './limit-keeper.ts';
import { type ListedSlowdown, type Reaction, Slowdowns } from './slowdowns.ts';

export type { Limit } from './limit-keeper.ts';

/** The limit of a destination: a domain, or a site written as `site:name`. Undefined: none. */
export type LimitOf = (destination: string) => Limit | undefined;

/** What is known of the pace of an address at a site (pacing.ts). */
export interface Paces {
  limitOf(address: string, site: string): Limit;
  /** A delivery waits because of it. */
  noteBlocked(address: string, site: string, by: Bound): void;
}

export interface DestinationOptions {
  onSlowdown?(slowdown: ListedSlowdown, isOver: boolean): void;
  /** Undefined: sites are not paced. */
  paces?: Paces | undefined;
  /** Of limits that all instances keep to together; by default this process keeps to them by itself. */
  shared?: LimitKeeper | undefined;
  /** A domain's site is not known: its mail waits until `setSite`. Undefined: it does not wait. */
  onUnknownSite?: ((domain: string) => void) | undefined;
}

/** What the end of a delivery tells about its destination. */
export interface Experience {
  reaction: Reaction | undefined;
  response: string;
  /** ms since the epoch */
  now: number;
}

/** What a delivery counts for while it is under way. */
export type Started = readonly { keeper: LimitKeeper; name: string }[];

interface Gate {
  keeper: LimitKeeper;
  name: string;
  limit: Limit | undefined;
}

interface EndOfDelivery {
  zone: string;
  domain: string;
  /** The domain, or its site */
  destination: string;
  /** Of the destination, without this one */
  inFlight: number;
}

/** A site that is looked for is asked about again, should nobody have said that it was found. */
const SEARCH_MS = 5_000;
/** What an operator sets is a limit and no aim: what is delayed on its way must not make eleven of ten in a minute. */
const MARGIN = 0.98;

export class Destinations {
  readonly slowdowns: Slowdowns;
  readonly #limitOf: LimitOf;
  readonly #options: DestinationOptions;
  readonly #own = new OwnLimits();
  readonly #shared: LimitKeeper;
  readonly #siteOf = new Map<string, string>();
  /** By zone and site, the one domain of it that has pushed back since the site's last answer. */
  readonly #suspects = new Map<string, string>();

  constructor(limitOf: LimitOf, options: DestinationOptions = {}) {
    this.#limitOf = limitOf;
    this.#options = options;
    this.#shared = options.shared ?? new OwnLimits();
    this.slowdowns = new Slowdowns(options.onSlowdown?.bind(options));
  }

  /** A look-up, or a delivery, has shown which provider the domain's MX belongs to. */
  setSite(domain: string, site: string): void {
    this.#siteOf.set(domain, site);
  }

  siteOf(domain: string): string | undefined {
    return this.#siteOf.get(domain);
  }

  /** The site of the domain, where it has a limit or a pace, or is slowed down. */
  limitedSiteOf(zone: string, domain: string): string | undefined {
    const site = this.#siteOf.get(domain);
    if (site === undefined) return undefined;
    const destination = `site:${site}`;
    const isLimited = this.#options.paces !== undefined || this.#limitOf(destination) !== undefined;
    return isLimited || this.slowdowns.connectionsOf(zone, destination) !== undefined ? site : undefined;
  }

  /** Whether the domain, or its site, gets less than its limit because it pushes back. */
  isSlowed(zone: string, domain: string): boolean {
    return this.#destinationsOf(domain).some(
      (destination) => this.slowdowns.connectionsOf(zone, destination) !== undefined,
    );
  }

  inFlight(zone: string, destination: string): number {
    return this.#own.inFlight(`${zone} ${destination}`);
  }

  /** Undefined when a delivery may start now; otherwise when to ask again, `Infinity` when another has to end first. */
  blockedUntil(zone: string, domain: string, now: number): number | undefined {
    const { onUnknownSite } = this.#options;
    if (onUnknownSite && !this.#siteOf.has(domain)) {
      onUnknownSite(domain);
      return now + SEARCH_MS;
    }
    let until: number | undefined;
    for (const destination of this.#destinationsOf(domain)) {
      const slowed = this.slowdowns.connectionsOf(zone, destination) ?? Number.POSITIVE_INFINITY;
      if (this.inFlight(zone, destination) >= slowed) return Number.POSITIVE_INFINITY;
      const { keeper, name, limit } = this.#gateOf(zone, destination);
      const limitedUntil = limit && keeper.blockageOf(name, limit, now)?.until;
      if (limitedUntil === Number.POSITIVE_INFINITY) return limitedUntil;
      const startAt = Math.max(
        limitedUntil ?? now,
        this.slowdowns.pausedUntil(zone, destination, now) ?? now,
      );
      if (startAt > now) until = Math.max(until ?? 0, startAt);
    }
    return until;
  }

  /** As `blockedUntil`, of the pace of one local address at the domain's site. */
  pacedUntil(domain: string, address: string | undefined, now: number): number | undefined {
    const gate = this.#paceGateOf(domain, address);
    if (!gate) return undefined;
    const blockage = gate.keeper.blockageOf(gate.name, gate.limit, now);
    if (blockage?.by) this.#options.paces?.noteBlocked(gate.address, gate.site, blockage.by);
    return blockage?.until;
  }

  /** @param address the local address that it leaves from, where that is paced */
  start(zone: string, domain: string, now: number, address?: string): Started {
    const own = this.#destinationsOf(domain).map((destination) => ({
      ...{ keeper: this.#own, name: `${zone} ${destination}`, limit: this.#limitOf(destination) },
    }));
    const shared = this.#destinationsOf(domain)
      .map((destination) => this.#gateOf(zone, destination))
      .filter(({ keeper }) => keeper === this.#shared);
    const pace = this.#paceGateOf(domain, address);
    const gates: Gate[] = [...own, ...shared, ...(pace ? [pace] : [])];
    for (const { keeper, name, limit } of gates) keeper.start(name, limit, now);
    return gates;
  }

  /** @param started what `start` gave: meanwhile limits may have come and gone, and sites been learned */
  end(started: Started, { zone, domain }: { zone: string; domain: string }, experience?: Experience): void {
    for (const { keeper, name } of started) keeper.end(name);
    for (const destination of this.#destinationsOf(domain)) {
      const inFlight = this.inFlight(zone, destination);
      this.#learn({ zone, domain, destination, inFlight }, experience);
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

  #gateOf(zone: string, destination: string): Gate {
    const limit = this.#limitOf(destination);
    if (!limit?.isShared) return { keeper: this.#own, name: `${zone} ${destination}`, limit };
    const rate = limit.ratePerSecond;
    return {
      keeper: this.#shared,
      name: `limit ${zone} ${destination}`,
      limit: { ...limit, ...(rate !== undefined && { ratePerSecond: rate * MARGIN }) },
    };
  }

  /** An operator's limit for the site takes the place of its pace. */
  #paceGateOf(domain: string, address: string | undefined) {
    const { paces } = this.#options;
    const site = this.#siteOf.get(domain);
    if (!paces || address === undefined || site === undefined) return undefined;
    if (this.#limitOf(`site:${site}`)) return undefined;
    const limit = paces.limitOf(address, site);
    return { address, site, keeper: this.#shared, name: paceName(address, site), limit };
  }

  #destinationsOf(domain: string): string[] {
    const site = this.#siteOf.get(domain);
    return site === undefined ? [domain] : [domain, `site:${site}`];
  }
}

/** How the pace of an address at a site is called among limits; the last word of a limit's name is its destination. */
export function paceName(address: string, site: string): string {
  return `pace ${address} site:${site}`;
}
