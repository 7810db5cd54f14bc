/** What ZoneMTA's own HTTP API (loopback) asks of the queue: look, try now, remove. */
import type pg from 'pg';
import { countEnded } from './counters.ts';
import { inTransaction } from './database.ts';
import { lockMessages, removeFinishedMessages } from './endings.ts';
import { createEvent, insertEvents } from './events.ts';
import type { FlowKey } from './rows.ts';

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

/** Makes them due now. @returns the flow of each */
export async function retryDeliveries(
  pool: pg.Pool,
  { id, seq }: { id: string; seq: string | undefined },
): Promise<FlowKey[]> {
  const { rows } = await pool.query<{
    zone: string;
    organization_id: string;
    domain: string;
    priority: number;
  }>(
    `update deliveries
        set due_at = now()
      where queue_id = $1
        and ($2::text is null or sequence = $2)
        and claim_id is null
  returning zone, organization_id, domain, priority`,
    [id, seq ?? null],
  );
  return rows.map(({ organization_id, ...flow }) => ({ ...flow, organizationId: Number(organization_id) }));
}

/** Takes deliveries out of the queue that nobody attempts just now; each is reported as cancelled. */
export async function removeDeliveries(
  pool: pg.Pool,
  { id, seq, instanceId }: { id: string; seq: string | undefined; instanceId: string },
): Promise<number> {
  return inTransaction(pool, async (client) => {
    await lockMessages(client, [id]);
    const { rows } = await client.query<{
      sequence: string;
      recipient: string;
      attempts: number;
      message_id: string;
    }>(
      `delete from deliveries d
        using messages m
        where m.id = d.queue_id
          and d.queue_id = $1
          and ($2::text is null or d.sequence = $2)
          and d.claim_id is null
    returning d.sequence, d.recipient, d.attempts, m.message_id`,
      [id, seq ?? null],
    );
    const events = rows.map((row) =>
      createEvent(
        {
          messageId: Number(row.message_id),
          recipient: row.recipient,
          queueId: id,
          sequence: row.sequence,
          instanceId,
          attempt: row.attempts,
        },
        { type: 'cancelled', response: 'Removed from the queue by an operator' },
      ),
    );
    if (events.length > 0) await insertEvents(client, events);
    await countEnded(client, 'cancelled', rows.length);
    await removeFinishedMessages(client, [id]);
    return rows.length;
  });
}
