/** Flows of a zone with claimed rows whose destination has no room, found again by what they wait for. */
import type { Flow } from './flow.ts';

const SITE = 'site:';

interface BlockedDomain {
  flows: Set<Flow>;
  /** As it was known when the first of them was blocked */
  site: string | undefined;
}

export class BlockedFlows {
  readonly #byDomain = new Map<string, BlockedDomain>();
  readonly #bySite = new Map<string, Set<string>>();

  /** @param site of the flow's domain, where it is known */
  add(flow: Flow, site: string | undefined): void {
    const known = this.#byDomain.get(flow.domain);
    if (known) {
      known.flows.add(flow);
      return;
    }
    this.#byDomain.set(flow.domain, { flows: new Set([flow]), site });
    if (site === undefined) return;
    const domains = this.#bySite.get(site) ?? new Set();
    this.#bySite.set(site, domains.add(flow.domain));
  }

  hasSite(site: string): boolean {
    return this.#bySite.has(site);
  }

  has(flow: Flow): boolean {
    return this.#byDomain.get(flow.domain)?.flows.has(flow) ?? false;
  }

  delete(flow: Flow): void {
    const known = this.#byDomain.get(flow.domain);
    known?.flows.delete(flow);
    if (known?.flows.size === 0) this.takeDomain(flow.domain);
  }

  /** Those to a domain; they are blocked no more. */
  takeDomain(domain: string): Iterable<Flow> {
    const known = this.#byDomain.get(domain);
    if (!known) return [];
    this.#byDomain.delete(domain);
    const { site } = known;
    const domains = site === undefined ? undefined : this.#bySite.get(site);
    domains?.delete(domain);
    if (site !== undefined && domains?.size === 0) this.#bySite.delete(site);
    return known.flows;
  }

  /** Those to all domains of a site. */
  takeSite(site: string): Flow[] {
    return [...(this.#bySite.get(site) ?? [])].flatMap((domain) => [...this.takeDomain(domain)]);
  }

  /** Those to a domain, or to a site as `site:name`. */
  takeDestination(destination: string): Iterable<Flow> {
    return destination.startsWith(SITE)
      ? this.takeSite(destination.slice(SITE.length))
      : this.takeDomain(destination);
  }

  takeAll(): Flow[] {
    return [...this.#byDomain.keys()].flatMap((domain) => [...this.takeDomain(domain)]);
  }
}
