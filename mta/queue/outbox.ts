/** The outbox of delivery events: rows stay until the api has acknowledged them. Shipped by plugins/status. */
import { EventEmitter } from 'node:events';
import type pg from 'pg';
import type { EventOutbox } from '../../lib/delivery.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';

export class Outbox implements EventOutbox {
  readonly #pool: pg.Pool;
  readonly #emitter = new EventEmitter();
  /** Of the events that were read last: rows are found by their place. */
  readonly #positions = new Map<string, string>();
  #isClosed = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async readEvents(limit: number): Promise<DeliveryEvent[]> {
    if (this.#isClosed) return [];
    const { rows } = await this.#pool.query<{ position: string; event: string }>({
      name: 'read_events',
      text: `select position, event
               from delivery_events
              where parked_reason is null
              order by position
              limit $1`,
      values: [limit],
    });
    this.#positions.clear();
    return rows.map(({ position, event: text }) => {
      const event = JSON.parse(text) as DeliveryEvent;
      this.#positions.set(event.id, position);
      return event;
    });
  }

  async removeEvents(ids: readonly string[]): Promise<void> {
    await this.#pool.query({
      name: 'remove_events',
      text: 'delete from delivery_events where position = any($1::bigint[])',
      values: [this.#positionsOf(ids)],
    });
  }

  async parkEvent(id: string, reason: string): Promise<void> {
    await this.#pool.query(
      'update delivery_events set parked_reason = $2 where position = any($1::bigint[])',
      [this.#positionsOf([id]), reason],
    );
  }

  /** The queue stops: what has not been shipped waits for the next start. */
  close(): void {
    this.#isClosed = true;
  }

  onEvents(listener: () => void): void {
    this.#emitter.on('events', listener);
  }

  #positionsOf(ids: readonly string[]): string[] {
    return ids.flatMap((id) => this.#positions.get(id) ?? []);
  }

  announce(): void {
    this.#emitter.emit('events');
  }
}
