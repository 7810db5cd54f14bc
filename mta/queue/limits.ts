/**
 * The limits of destinations: one for every recipient domain by default, others by name. A domain's own limit replaces
 * the default; a site has a limit only where one is set. Changed at run time by the control port.
 */
import type { Limit, LimitOf } from './destinations.ts';

export class Limits {
  readonly #byDestination = new Map<string, Limit>();
  readonly #forEveryDomain: Limit;

  constructor(forEveryDomain: Limit, named: Readonly<Record<string, Limit>> = {}) {
    this.#forEveryDomain = forEveryDomain;
    for (const [destination, limit] of Object.entries(named)) this.set(destination, limit);
  }

  readonly of: LimitOf = (destination) =>
    this.#byDestination.get(destination) ??
    (destination.startsWith('site:') ? undefined : this.#forEveryDomain);

  set(destination: string, limit: Limit): void {
    this.#byDestination.set(destination.toLowerCase(), limit);
  }

  unset(destination: string): boolean {
    return this.#byDestination.delete(destination.toLowerCase());
  }

  list(): Record<string, Omit<Limit, 'isShared'>> {
    const named = [...this.#byDestination].map(([name, { isShared: _, ...limit }]) => [name, limit] as const);
    return { '*': this.#forEveryDomain, ...Object.fromEntries(named) };
  }
}
