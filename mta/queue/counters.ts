/**
 * What has gone through the queue, and whether it adds up. The counts change in the transactions that they are about;
 * whoever takes deliveries out of the queue counts them.
 */
import type pg from 'pg';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';

/** Transactions at a time that do not wait for each other's counts. */
const LANES = 64;
const LANES_PER_PROCESS = 4;

let calls = 0;

/** The lane for one transaction: concurrent ones of a process get different ones. */
export function nextLane(): number {
  calls++;
  return ((process.pid * LANES_PER_PROCESS) % LANES) + (calls % LANES_PER_PROCESS);
}

/** Within the transaction that deletes the deliveries. */
export async function countEnded(
  client: pg.ClientBase,
  type: DeliveryEvent['type'],
  count: number,
): Promise<void> {
  if (count === 0) return;
  await client.query(
    `insert into queue_counters (name, lane, value)
          values ($1, $2, $3)
     on conflict (name, lane) do update set value = queue_counters.value + excluded.value`,
    [type, nextLane(), count],
  );
}

export interface QueueCounts {
  accepted: number;
  delivered: number;
  bounced: number;
  expired: number;
  suppressed: number;
  cancelled: number;
  /** In the queue now, `held` among them */
  queued: number;
  held: number;
  /** accepted minus all that it became; anything but 0 is a defect */
  drift: number;
}

/** One statement, so one snapshot: exact however busy the queue is. Counts the rows of the queue. */
export async function readCounts(pool: pg.Pool): Promise<QueueCounts> {
  const { rows } = await pool.query<{ name: string; value: string }>(
    `select name, sum(value)::bigint as value from queue_counters group by name
      union all
     select 'queued', count(*) from deliveries
      union all
     select 'held', count(*) from deliveries where held_at is not null`,
  );
  const values = new Map(rows.map(({ name, value }) => [name, Number(value)]));
  const of = (name: string) => values.get(name) ?? 0;
  const ended = {
    delivered: of('delivered'),
    bounced: of('bounced'),
    expired: of('expired'),
    suppressed: of('suppressed'),
    cancelled: of('cancelled'),
  };
  const [accepted, queued, held] = [of('accepted'), of('queued'), of('held')];
  const sum = Object.values(ended).reduce((total, value) => total + value, queued);
  return { accepted, ...ended, queued, held, drift: accepted - sum };
}
