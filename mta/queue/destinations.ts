/**
 * Limits of destinations, within a zone: deliveries at a time and deliveries a second, to a recipient domain and to a
 * site (the provider behind the MX records of many domains). Pure bookkeeping: who may start, who has ended.
 */

export interface Limit {
  /** Deliveries at a time */
  connections: number;
  /** Deliveries started a second; fractions are possible, no entry means no limit */
  ratePerSecond?: number;
}

/** The limit of a destination: a domain, or a site written as `site:name`. Undefined: none. */
export type LimitOf = (destination: string) => Limit | undefined;

interface Usage {
  inFlight: number;
  tokens: number;
  filledAt: number;
}

export class Destinations {
  readonly #limitOf: LimitOf;
  readonly #usage = new Map<string, Usage>();
  readonly #siteOf = new Map<string, string>();

  constructor(limitOf: LimitOf) {
    this.#limitOf = limitOf;
  }

  /** A delivery has shown which provider the domain's MX belongs to. */
  setSite(domain: string, site: string): void {
    this.#siteOf.set(domain, site);
  }

  siteOf(domain: string): string | undefined {
    return this.#siteOf.get(domain);
  }

  /** The site of the domain, where it has a limit. */
  limitedSiteOf(domain: string): string | undefined {
    const site = this.#siteOf.get(domain);
    return site !== undefined && this.#limitOf(`site:${site}`) ? site : undefined;
  }

  inFlight(zone: string, destination: string): number {
    return this.#usage.get(`${zone} ${destination}`)?.inFlight ?? 0;
  }

  /** Undefined when a delivery may start now; otherwise when to ask again, `Infinity` when another has to end first. */
  blockedUntil(zone: string, domain: string, now: number): number | undefined {
    let until: number | undefined;
    for (const destination of this.#destinationsOf(domain)) {
      const limit = this.#limitOf(destination);
      if (!limit) continue;
      const usage = this.#usage.get(`${zone} ${destination}`);
      if ((usage?.inFlight ?? 0) >= limit.connections) return Number.POSITIVE_INFINITY;
      const tokenAt = usage ? nextTokenAt(usage, limit, now) : now;
      if (tokenAt > now) until = Math.max(until ?? 0, tokenAt);
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

  end(zone: string, domain: string): void {
    for (const destination of this.#destinationsOf(domain)) {
      const key = `${zone} ${destination}`;
      const usage = this.#usage.get(key);
      if (!usage) continue;
      // A site that was learned while its deliveries were under way counts their ends without their starts.
      usage.inFlight = Math.max(0, usage.inFlight - 1);
      if (usage.inFlight === 0 && this.#limitOf(destination)?.ratePerSecond === undefined)
        this.#usage.delete(key);
    }
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
