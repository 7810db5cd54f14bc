/** What each verb does to a batch of deliveries, within its transaction. */
import type pg from 'pg';
import { countEnded } from '../queue/counters.ts';
import { lockMessages, removeFinishedMessages } from '../queue/endings.ts';
import { createEvent, insertEvents } from '../queue/events.ts';
import { FLOW_COLUMNS, type FlowRow, toQueuedFlow } from '../queue/flow-rows.ts';
import { rowKey } from '../queue/rows.ts';
import { Parameters } from '../queue/selector.ts';
import type { Batch, Changed, Verb } from './sweep.ts';

/** Not claimed until the pause ends. */
export function pause(pauseId: number | undefined): Verb {
  return {
    condition: () => 'd.paused_by is null and d.held_at is null',
    change: (client, batch) =>
      update(client, batch, (parameters) => `paused_by = ${parameters.add(pauseId)}`).then(({ count }) => ({
        count,
        flows: [],
      })),
  };
}

/** Due at once. A held delivery gets another chance: its lost attempts are forgotten. A pause stays a pause. */
export function flush(at: Date): Verb {
  return {
    condition: (parameters) => `(d.due_at > ${parameters.add(at)} or d.held_at is not null)`,
    change: (client, batch) =>
      update(
        client,
        batch,
        (parameters) =>
          `due_at = least(d.due_at, ${parameters.add(at)}),
           deferrals = case when d.held_at is null then d.deferrals else d.attempts end,
           held_at = null, held_reason = null`,
      ),
  };
}

/** To be sent by another zone, when it is due. */
export function move(zone: string): Verb {
  return {
    condition: (parameters) => `d.zone <> ${parameters.add(zone)}`,
    change: (client, batch) => update(client, batch, (parameters) => `zone = ${parameters.add(zone)}`),
  };
}

/** Ended for good, reported like any other end. */
export function end(type: 'bounced' | 'cancelled', reason: string, instanceId: string): Verb {
  return {
    condition: () => 'true',
    change: (client, batch) => remove(client, batch, { type, reason, instanceId }),
  };
}

const STILL_FREE = (claimIds: string) => `(d.claim_id is null or d.claim_id = any(${claimIds}::bigint[]))`;

/** An attempt that had been counted has not begun. */
async function update(
  client: pg.ClientBase,
  { rows, claimIds }: Batch,
  assign: (parameters: Parameters) => string,
): Promise<Changed> {
  const parameters = new Parameters();
  const assignments = assign(parameters);
  const result = await client.query<FlowRow & { is_waiting: boolean }>(
    `update deliveries d
        set ${assignments},
            attempts = d.attempts - (d.claim_id is not null)::integer,
            claim_id = null, claimed_by = null, claimed_until = null
       from unnest(${parameters.add(rows.map((row) => row.queueId))}::text[],
                   ${parameters.add(rows.map((row) => row.sequence))}::text[]) as k (queue_id, sequence)
      where d.queue_id = k.queue_id
        and d.sequence = k.sequence
        and ${STILL_FREE(parameters.add(claimIds))}
  returning ${FLOW_COLUMNS}, d.held_at is null and d.paused_by is null as is_waiting`,
    parameters.values,
  );
  const waiting = result.rows.filter((row) => row.is_waiting);
  return { count: result.rows.length, flows: waiting.map(toQueuedFlow) };
}

async function remove(
  client: pg.ClientBase,
  { rows, claimIds }: Batch,
  { type, reason, instanceId }: { type: 'bounced' | 'cancelled'; reason: string; instanceId: string },
): Promise<Changed> {
  const queueIds = [...new Set(rows.map((row) => row.queueId))];
  await lockMessages(client, queueIds);
  const gone = await client.query<{ queue_id: string; sequence: string }>(
    `delete from deliveries d
      using unnest($1::text[], $2::text[]) as k (queue_id, sequence)
      where d.queue_id = k.queue_id
        and d.sequence = k.sequence
        and ${STILL_FREE('$3')}
  returning d.queue_id, d.sequence`,
    [rows.map((row) => row.queueId), rows.map((row) => row.sequence), claimIds],
  );
  const keys = new Set(gone.rows.map((row) => rowKey({ queueId: row.queue_id, sequence: row.sequence })));
  const events = rows
    .filter((row) => keys.has(rowKey(row)))
    .map(({ attempts, ...row }) =>
      createEvent({ ...row, instanceId, attempt: attempts }, { type, response: reason }),
    );
  if (events.length > 0) await insertEvents(client, events);
  await countEnded(client, type, events.length);
  await removeFinishedMessages(client, queueIds);
  return { count: events.length, flows: [] };
}
