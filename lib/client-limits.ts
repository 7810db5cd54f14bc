/** How many sessions there are, in all and per client, and how fast clients open them; an IPv6 /64 is one client (RS-4). */
import ipaddr from 'ipaddr.js';

export interface ClientLimits {
  maxConnections: number;
  maxConnectionsPerClient: number;
  /** New sessions */
  maxConnectionsPerClientPerMinute: number;
}

export type Admission =
  | {
      ok: true;
      /** Gives the place back; further calls do nothing. */
      leave(): void;
    }
  | { ok: false; reason: 'too_many' | 'too_many_of_client' | 'too_fast' };

const WINDOW_MS = 60_000;

export class ClientCounter {
  readonly #limits: ClientLimits;
  readonly #now: () => number;
  readonly #clients = new Map<string, number>();
  readonly #arrivals = new Map<string, number>();
  #windowStart: number;
  #total = 0;

  /** @param now a monotonic clock in milliseconds */
  constructor(limits: ClientLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#windowStart = now();
  }

  get total(): number {
    return this.#total;
  }

  enter(address: string): Admission {
    const client = clientOf(address);
    const { maxConnections, maxConnectionsPerClient, maxConnectionsPerClientPerMinute } = this.#limits;
    const count = this.#clients.get(client) ?? 0;
    if (this.#total >= maxConnections) return { ok: false, reason: 'too_many' };
    if (count >= maxConnectionsPerClient) return { ok: false, reason: 'too_many_of_client' };
    if (this.#countArrival(client) > maxConnectionsPerClientPerMinute)
      return { ok: false, reason: 'too_fast' };
    this.#clients.set(client, count + 1);
    this.#total += 1;
    let isInside = true;
    return {
      ok: true,
      leave: () => {
        if (isInside) this.#leave(client);
        isInside = false;
      },
    };
  }

  /** @returns how many came from the client in this minute; everybody's count begins anew with the next */
  #countArrival(client: string): number {
    if (this.#now() - this.#windowStart >= WINDOW_MS) {
      this.#arrivals.clear();
      this.#windowStart = this.#now();
    }
    const arrivals = (this.#arrivals.get(client) ?? 0) + 1;
    this.#arrivals.set(client, arrivals);
    return arrivals;
  }

  #leave(client: string): void {
    const count = this.#clients.get(client) ?? 0;
    if (count > 1) this.#clients.set(client, count - 1);
    else this.#clients.delete(client);
    this.#total -= 1;
  }
}

/** The address itself, or the /64 of an IPv6 address. */
export function clientOf(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (!(parsed instanceof ipaddr.IPv6)) return parsed.toString();
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
