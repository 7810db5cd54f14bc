/** The outbox of delivery events: rows stay until the api has acknowledged them. Shipped by plugins/status. */
import { EventEmitter } from 'node:events';
import type pg from 'pg';
import type { EventOutbox } from '../../lib/delivery.ts';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';

export class Outbox implements EventOutbox {
  readonly #pool: pg.Pool;
  readonly #emitter = new EventEmitter();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async readEvents(limit: number): Promise<DeliveryEvent[]> {
    const { rows } = await this.#pool.query<{ event: DeliveryEvent }>({
      name: 'read_events',
      text: `select event
               from delivery_events
              where parked_reason is null
              order by position
              limit $1`,
      values: [limit],
    });
    return rows.map((row) => row.event);
  }

  async removeEvents(ids: readonly string[]): Promise<void> {
    await this.#pool.query({
      name: 'remove_events',
      text: 'delete from delivery_events where id = any($1::uuid[])',
      values: [ids],
    });
  }

  async parkEvent(id: string, reason: string): Promise<void> {
    await this.#pool.query('update delivery_events set parked_reason = $2 where id = $1', [id, reason]);
  }

  onEvents(listener: () => void): void {
    this.#emitter.on('events', listener);
  }

  announce(): void {
    this.#emitter.emit('events');
  }
}
