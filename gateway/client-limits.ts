/** How many sessions there are, in all and per client address; an IPv6 /64 is one client (RS-4). */
import { isIPv6 } from 'node:net';

export interface ClientLimits {
  maxConnections: number;
  maxConnectionsPerClient: number;
}

export type Admission =
  | {
      ok: true;
      /** Gives the place back; further calls do nothing. */
      leave(): void;
    }
  | { ok: false; reason: 'too_many' | 'too_many_of_client' };

export class ClientCounter {
  readonly #limits: ClientLimits;
  readonly #clients = new Map<string, number>();
  #total = 0;

  constructor(limits: ClientLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  enter(address: string): Admission {
    const client = clientOf(address);
    const count = this.#clients.get(client) ?? 0;
    if (this.#total >= this.#limits.maxConnections) return { ok: false, reason: 'too_many' };
    if (count >= this.#limits.maxConnectionsPerClient) return { ok: false, reason: 'too_many_of_client' };
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

  #leave(client: string): void {
    const count = this.#clients.get(client) ?? 0;
    if (count > 1) this.#clients.set(client, count - 1);
    else this.#clients.delete(client);
    this.#total -= 1;
  }
}

/** The address itself, or the /64 of an IPv6 address. */
export function clientOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]?.split('::') ?? [];
  const leading = head === '' ? [] : head.split(':');
  const trailing = tail ? tail.split(':') : [];
  const zeros = tail === undefined ? 0 : 8 - leading.length - trailing.length;
  const groups = [...leading, ...Array<string>(Math.max(zeros, 0)).fill('0'), ...trailing];
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
