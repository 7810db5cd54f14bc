/**
 * How deliveries end, for now or for good. The change of the row and the event in the outbox are one transaction, made
 * by the sender process itself as soon as it knows: no ending depends on the master being there. Endings that come at
 * the same time share a statement.
 */
import type pg from 'pg';
import type { DeliveryEvent } from '../../lib/rpc/contracts/delivery-events.ts';
import { nextLane } from './counters.ts';
import { inTransaction } from './database.ts';

interface EndingOf {
  queueId: string;
  sequence: string;
  claimId: string;
  event: DeliveryEvent;
}

/** The delivery leaves the queue, and with the last one of a message the message. */
export interface Finish extends EndingOf {
  kind: 'finish';
  /** Of the message, as it came in. */
  recipients: number;
}

/** The delivery is due again later. */
export interface Defer extends EndingOf {
  kind: 'defer';
  dueAt: Date;
  /** It was greylisted: the next attempt leaves from this local address */
  pinnedAddress?: string | undefined;
}

/** The row stays, visibly, until a person decides. */
export interface Hold extends EndingOf {
  kind: 'hold';
  reason: string;
}

export type Ending = Finish | Defer | Hold;

/**
 * Ends deliveries. "Delivered" holds whoever has claimed the row since: the remote has the mail. Every other ending
 * holds only while its claim does.
 *
 * @returns for each whether it took effect; false when another claim had ended the delivery before
 */
export async function endDeliveries(pool: pg.Pool, endings: readonly Ending[]): Promise<boolean[]> {
  const single = endings.filter((ending) => ending.kind === 'finish' && ending.recipients === 1) as Finish[];
  const shared = endings.filter((ending) => ending.kind === 'finish' && ending.recipients > 1) as Finish[];
  const deferred = endings.filter((ending) => ending.kind === 'defer');
  const held = endings.filter((ending) => ending.kind === 'hold');
  const ended = new Set<string>();
  for (const id of await finishSingle(pool, single)) ended.add(id);
  if (shared.length > 0) {
    const ids = await inTransaction(pool, (client) => finishShared(client, shared));
    for (const id of ids) ended.add(id);
  }
  for (const id of await defer(pool, deferred)) ended.add(id);
  for (const id of await hold(pool, held)) ended.add(id);
  return endings.map((ending) => ended.has(ending.event.id));
}

/** Messages with one recipient: the message goes with its delivery, in one statement. */
async function finishSingle(db: Pick<pg.Pool, 'query'>, endings: Finish[]): Promise<string[]> {
  if (endings.length === 0) return [];
  const { rows } = await db.query<{ id: string }>({
    name: 'finish_single',
    text: `${ENDING_CTE},
         gone as (
           delete from deliveries d
            using ending e
            where d.queue_id = e.queue_id
              and d.sequence = e.sequence
              and (d.claim_id = e.claim_id or e.is_delivered)
        returning d.queue_id, e.id
         ),
         reported as (
           insert into delivery_events (id, event)
           select e.id, e.event from ending e join gone on gone.id = e.id order by e.number
         ),
         counted as (
           insert into queue_counters (name, lane, value)
           select e.type, $8::integer, count(*) from ending e join gone on gone.id = e.id group by e.type order by e.type
           on conflict (name, lane) do update set value = queue_counters.value + excluded.value
         ),
         removed as (
           delete from messages m using gone where m.id = gone.queue_id returning m.id, m.chunks
         ),
         cut as (
           delete from message_chunks c using removed where removed.chunks > 0 and c.queue_id = removed.id
         )
    select id from gone`,
    values: [...valuesOf(endings), nextLane()],
  });
  return rows.map((row) => row.id);
}

/** Messages with more recipients: of two deliveries that end at the same moment, the second sees that it is the last. */
async function finishShared(client: pg.ClientBase, endings: Finish[]): Promise<string[]> {
  const queueIds = [...new Set(endings.map((ending) => ending.queueId))];
  await lockMessages(client, queueIds);
  const { rows } = await client.query<{ id: string }>({
    name: 'finish_shared',
    text: `${ENDING_CTE},
         gone as (
           delete from deliveries d
            using ending e
            where d.queue_id = e.queue_id
              and d.sequence = e.sequence
              and (d.claim_id = e.claim_id or e.is_delivered)
        returning e.id
         ),
         reported as (
           insert into delivery_events (id, event)
           select e.id, e.event from ending e join gone on gone.id = e.id order by e.number
         ),
         counted as (
           insert into queue_counters (name, lane, value)
           select e.type, $8::integer, count(*) from ending e join gone on gone.id = e.id group by e.type order by e.type
           on conflict (name, lane) do update set value = queue_counters.value + excluded.value
         )
    select id from gone`,
    values: [...valuesOf(endings), nextLane()],
  });
  await removeFinishedMessages(client, queueIds);
  return rows.map((row) => row.id);
}

async function defer(db: Pick<pg.Pool, 'query'>, endings: Defer[]): Promise<string[]> {
  if (endings.length === 0) return [];
  const { rows } = await db.query<{ id: string }>({
    name: 'defer_deliveries',
    text: `${ENDING_CTE},
         later as (
           update deliveries d
              set due_at = l.due_at, deferrals = d.deferrals + 1, last_response = l.response,
                  pinned_address = coalesce(l.pinned_address, d.pinned_address),
                  claim_id = null, claimed_by = null, claimed_until = null
             from ending e
             join unnest($1::uuid[], $8::timestamptz[], $9::text[], $10::text[])
                  as l (id, due_at, response, pinned_address) on l.id = e.id
            where d.queue_id = e.queue_id
              and d.sequence = e.sequence
              and d.claim_id = e.claim_id
        returning e.id
         ),
         reported as (
           insert into delivery_events (id, event)
           select e.id, e.event from ending e join later on later.id = e.id order by e.number
         )
    select id from later`,
    values: [
      ...valuesOf(endings),
      endings.map((ending) => ending.dueAt),
      endings.map((ending) => ending.event.response),
      endings.map((ending) => ending.pinnedAddress ?? null),
    ],
  });
  return rows.map((row) => row.id);
}

async function hold(db: Pick<pg.Pool, 'query'>, endings: Hold[]): Promise<string[]> {
  if (endings.length === 0) return [];
  const { rows } = await db.query<{ id: string }>({
    name: 'hold_deliveries',
    text: `${ENDING_CTE},
         held as (
           update deliveries d
              set held_at = now(), held_reason = h.reason, claim_id = null, claimed_by = null, claimed_until = null
             from ending e
             join unnest($1::uuid[], $8::text[]) as h (id, reason) on h.id = e.id
            where d.queue_id = e.queue_id
              and d.sequence = e.sequence
              and d.claim_id = e.claim_id
        returning e.id
         ),
         reported as (
           insert into delivery_events (id, event)
           select e.id, e.event from ending e join held on held.id = e.id order by e.number
         )
    select id from held`,
    values: [...valuesOf(endings), endings.map((ending) => ending.reason)],
  });
  return rows.map((row) => row.id);
}

const ENDING_CTE = `
    with ending as (
           select *
             from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::text[])
                  with ordinality as e (id, queue_id, sequence, claim_id, is_delivered, event, type, number)
         )`;

function valuesOf(endings: readonly Ending[]): unknown[] {
  return [
    endings.map(({ event }) => event.id),
    endings.map(({ queueId }) => queueId),
    endings.map(({ sequence }) => sequence),
    endings.map(({ claimId }) => claimId),
    endings.map(({ event }) => event.type === 'delivered'),
    endings.map(({ event }) => JSON.stringify(event)),
    endings.map(({ event }) => event.type),
  ];
}

/** Taken before deliveries of messages with more than one are deleted; in the order of the ids, against deadlocks. */
export async function lockMessages(client: pg.ClientBase, queueIds: readonly string[]): Promise<void> {
  await client.query({
    name: 'lock_messages',
    text: 'select id from messages where id = any($1) order by id for update',
    values: [queueIds],
  });
}

/** Deletes those of the messages that have no delivery left. */
export async function removeFinishedMessages(
  client: pg.ClientBase,
  queueIds: readonly string[],
): Promise<void> {
  await client.query({
    name: 'remove_finished_messages',
    text: `with removed as (
             delete from messages m
              where m.id = any($1)
                and not exists (select from deliveries d where d.queue_id = m.id)
          returning m.id, m.chunks
           )
           delete from message_chunks c using removed where removed.chunks > 0 and c.queue_id = removed.id`,
    values: [queueIds],
  });
}
