/**
 * The master's cache, which ZoneMTA's queue server lets its children read and write; and behind a few of its keys the
 * messages of our own (wire.ts).
 */
import { createTtlCache, type TtlCache } from '../zone-mta.ts';
import type { Claims } from './claims.ts';
import type { QueueMetrics } from './metrics.ts';
import {
  type DemandMessage,
  type DueMessage,
  type EndedMessage,
  type FreshMessage,
  type LaterMessage,
  wire,
} from './wire.ts';

export interface MasterCacheOptions {
  claims: Claims;
  metrics: QueueMetrics;
  /** Senders have written events to the outbox. */
  onEvents(): void;
}

export class MasterCache {
  readonly #cache: TtlCache = createTtlCache();
  readonly #demand = new Map<string, number>();
  readonly #handlers: Record<string, (value: never) => void>;
  readonly #claims: Claims;

  constructor({ claims, metrics, onEvents }: MasterCacheOptions) {
    this.#claims = claims;
    this.#handlers = {
      [wire.demand]: ({ owner, count }: DemandMessage) => void this.#demand.set(owner, count),
      [wire.fresh]: ({ rows }: FreshMessage) => claims.addFresh(rows),
      [wire.due]: ({ flows }: DueMessage) => claims.noteDue(flows),
      [wire.later]: ({ flows }: LaterMessage) => claims.noteQueued(flows),
      [wire.ended]: ({ endings, connections, lookups }: EndedMessage) => {
        claims.end(endings);
        metrics.connections(connections);
        metrics.lookups(lookups);
        onEvents();
      },
    };
  }

  /** How many deliveries the sender process said that its next GET can take. */
  takeDemand(owner: string): number {
    const count = this.#demand.get(owner) ?? 1;
    this.#demand.delete(owner);
    return count;
  }

  get(key: string): unknown {
    return key === wire.intake ? this.#claims.scheduler.intakeState() : this.#cache.get(key);
  }

  set(key: string, value: unknown, ttl: number, onExpired?: (value: unknown) => void): void {
    const handle = this.#handlers[key];
    if (handle) handle(value as never);
    else this.#cache.set(key, value, ttl, onExpired);
  }

  remove(key: string): void {
    this.#cache.remove(key);
  }

  flush(): void {
    this.#cache.flush();
  }

  get data(): Map<string, unknown> {
    return this.#cache.data;
  }

  get sorted(): unknown[] {
    return this.#cache.sorted;
  }
}
