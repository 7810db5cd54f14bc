/** What ZoneMTA's own HTTP API (loopback) reads of the queue. */
import type pg from 'pg';

export async function readEnvelope(pool: pg.Pool, id: string): Promise<unknown> {
  const { rows } = await pool.query<{ envelope: string }>('select envelope from messages where id = $1', [
    id,
  ]);
  return rows[0] ? JSON.parse(rows[0].envelope) : false;
}

interface InspectedRow {
  queue_id: string;
  sequence: string;
  zone: string;
  recipient: string;
  due_at: Date;
  created_at: Date;
  deferrals: number;
  last_response: string | null;
  is_deferred: boolean;
  is_claimed: boolean;
}

const INSPECTED = `queue_id, sequence, zone, recipient, due_at, created_at, deferrals, last_response,
                   due_at > now() as is_deferred, claim_id is not null as is_claimed`;

export async function readDeliveries(pool: pg.Pool, id: string): Promise<unknown> {
  const { rows } = await pool.query<InspectedRow>(
    `select ${INSPECTED} from deliveries where queue_id = $1 order by sequence`,
    [id],
  );
  if (rows.length === 0) return false;
  const messages = rows.map((row) => ({
    id,
    seq: row.sequence,
    zone: row.zone,
    recipient: row.recipient,
    status: row.is_deferred ? 'DEFERRED' : 'QUEUED',
    lock: row.is_claimed,
    ...(row.is_deferred && {
      deferred: { count: row.deferrals, next: row.due_at, response: row.last_response },
    }),
  }));
  return { meta: await readEnvelope(pool, id), messages };
}

export async function listDeliveries(
  pool: pg.Pool,
  {
    zone,
    isDeferred,
    start,
    maxItems,
  }: { zone: string; isDeferred: boolean; start: number; maxItems: number },
): Promise<unknown[]> {
  const { rows } = await pool.query<InspectedRow>(
    `select ${INSPECTED}
       from deliveries
      where zone = $1
        and (due_at > now()) = $2
      order by due_at
     offset $3
      limit $4`,
    [zone, isDeferred, start, maxItems],
  );
  return rows.map((row) => ({
    id: row.queue_id,
    zone: row.zone,
    recipient: row.recipient,
    created: row.created_at.toISOString(),
    queued: row.due_at.toISOString(),
    deferred: row.deferrals,
  }));
}

export async function countByZone(
  pool: pg.Pool,
  zones: string[],
  isDeferred: boolean,
): Promise<{ entries: { key: string; value: number }[]; rows: number }> {
  const { rows } = await pool.query<{ zone: string; count: string }>(
    `select zone, count(*) as count
       from deliveries
      where zone = any($1)
        and (due_at > now()) = $2
      group by zone`,
    [zones, isDeferred],
  );
  const counts = new Map(rows.map((row) => [row.zone, Number(row.count)]));
  const entries = zones.map((key) => ({ key, value: counts.get(key) ?? 0 }));
  return { entries, rows: entries.reduce((sum, entry) => sum + entry.value, 0) };
}
