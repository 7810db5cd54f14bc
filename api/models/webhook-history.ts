/** What was delivered to endpoints and what not: to look at, to send again, and to forget when its time is over. */
import type { Queryable } from '../database.ts';
import type { WebhookEvent } from './webhook.ts';

const PURGE_BATCH = 1_000;

export const deliveryStates = ['pending', 'delivered', 'dead'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export interface WebhookDelivery {
  /** The webhook-id: the same in every attempt and replay */
  id: string;
  webhookId: number;
  messageId: number | null;
  event: WebhookEvent;
  state: DeliveryState;
  /** That failed, since it was made or replayed */
  attempts: number;
  occurredAt: Date;
  nextAttemptAt: Date | null;
  finishedAt: Date | null;
  createdAt: Date;
  lastAttempt: WebhookAttempt | null;
}

export interface WebhookAttempt {
  startedAt: Date;
  durationMs: number;
  /** delivered, failed (another status than 2xx), or why there was no answer */
  outcome: string;
  status: number | null;
  /** The first 512 bytes of the answer, or a word about the failure */
  response: string | null;
}

export interface DeliveryQuery {
  webhookId: number;
  state: DeliveryState | undefined;
  /** Id of a delivery: older ones */
  before: string | undefined;
  limit: number;
}

const attemptColumns = 'started_at as "startedAt", duration_ms as "durationMs", outcome, status, response';

const selectDelivery = `
  select delivery.id, delivery.event, delivery.state, delivery.attempts,
         delivery.webhook_id  as "webhookId",
         delivery.message_id  as "messageId",
         delivery.occurred_at as "occurredAt",
         case when delivery.state = 'pending' then delivery.next_attempt_at end as "nextAttemptAt",
         delivery.finished_at as "finishedAt",
         delivery.created_at  as "createdAt",
         attempt."startedAt", attempt."durationMs", attempt.outcome, attempt.status, attempt.response
    from webhook_deliveries delivery
    left join lateral (select ${attemptColumns} from webhook_attempts
                        where position = delivery.position order by id desc limit 1) attempt on true`;

type DeliveryRow = Omit<WebhookDelivery, 'lastAttempt'> & {
  [Key in keyof WebhookAttempt]: WebhookAttempt[Key] | null;
};

/** Newest first. */
export async function listDeliveries(
  db: Queryable,
  { webhookId, state, before, limit }: DeliveryQuery,
): Promise<WebhookDelivery[]> {
  const { rows } = await db.query<DeliveryRow>(
    `${selectDelivery}
      where delivery.webhook_id = $1
        and ($2::text is null or delivery.state = $2)
        and ($3::uuid is null or delivery.position < (select position from webhook_deliveries where id = $3))
      order by delivery.position desc
      limit $4`,
    [webhookId, state ?? null, before ?? null, limit],
  );
  return rows.map(toDelivery);
}

export async function findDelivery(
  db: Queryable,
  { id, webhookId }: { id: string; webhookId: number },
): Promise<WebhookDelivery | undefined> {
  const { rows } = await db.query<DeliveryRow>(
    `${selectDelivery} where delivery.id = $1 and delivery.webhook_id = $2`,
    [id, webhookId],
  );
  return rows[0] && toDelivery(rows[0]);
}

/** Oldest first. */
export async function listDeliveryAttempts(db: Queryable, deliveryId: string): Promise<WebhookAttempt[]> {
  const { rows } = await db.query<WebhookAttempt>(
    `select ${attemptColumns}
       from webhook_attempts
      where position = (select position from webhook_deliveries where id = $1)
      order by id`,
    [deliveryId],
  );
  return rows;
}

/** Every attempt to tell anybody of a message, oldest first: a part of its timeline. */
export async function listMessageWebhookAttempts(
  db: Queryable,
  messageId: number,
): Promise<(WebhookAttempt & { webhookId: number; deliveryId: string; event: WebhookEvent })[]> {
  const { rows } = await db.query<
    WebhookAttempt & { webhookId: number; deliveryId: string; event: WebhookEvent }
  >(
    `select ${attemptColumns}, delivery.webhook_id as "webhookId", delivery.id as "deliveryId", delivery.event
       from webhook_deliveries delivery
       join webhook_attempts attempt on attempt.position = delivery.position
      where delivery.message_id = $1
      order by attempt.started_at, attempt.id`,
    [messageId],
  );
  return rows;
}

export interface ReplaySelection {
  webhookId: number;
  /** Undefined: both that are finished */
  state: 'dead' | 'delivered' | undefined;
  ids: readonly string[] | undefined;
  /** Of the event itself */
  since: string | undefined;
  until: string | undefined;
}

const isSelected = `
  webhook_id = $1
  and state = any($2::text[])
  and ($3::uuid[] is null or id = any($3))
  and ($4::timestamptz is null or occurred_at >= $4)
  and ($5::timestamptz is null or occurred_at <  $5)`;

export async function countReplay(db: Queryable, selection: ReplaySelection): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `select count(*) from webhook_deliveries where ${isSelected}`,
    parametersOf(selection),
  );
  return rows[0]?.count ?? 0;
}

/**
 * At most `limit` of the selected, the oldest first, are due at once, with all their attempts before them again and the
 * same webhook-id (HK-9).
 * @param finishedBefore leaves alone what was finished by a replay that is under way
 */
export async function replayDeliveries(
  db: Queryable,
  selection: ReplaySelection,
  { finishedBefore, limit }: { finishedBefore: Date; limit: number },
): Promise<number> {
  const { rowCount } = await db.query(
    `update webhook_deliveries
        set state = 'pending', attempts = 0, next_attempt_at = now(), finished_at = null, claim = null
      where position in (select position from webhook_deliveries
                          where ${isSelected} and finished_at <= $6
                          order by position
                          limit $7
                            for update skip locked)`,
    [...parametersOf(selection), finishedBefore, limit],
  );
  return rowCount ?? 0;
}

/** Forgets what is older than the retention, finished or not, in small batches. @returns how many */
export async function purgeDeliveries(db: Queryable, retentionDays: number): Promise<number> {
  for (let purged = 0; ; ) {
    const { rowCount } = await db.query(
      `delete from webhook_deliveries
        where position in (select position from webhook_deliveries
                            where created_at < now() - make_interval(days => $1)
                              and coalesce(finished_at, '-infinity') < now() - make_interval(days => $1)
                            limit $2
                              for update skip locked)`,
      [retentionDays, PURGE_BATCH],
    );
    purged += rowCount ?? 0;
    if ((rowCount ?? 0) < PURGE_BATCH) return purged;
  }
}

function parametersOf({ webhookId, state, ids, since, until }: ReplaySelection): unknown[] {
  return [webhookId, state ? [state] : ['dead', 'delivered'], ids ?? null, since ?? null, until ?? null];
}

function toDelivery(row: DeliveryRow): WebhookDelivery {
  const { startedAt, durationMs, outcome, status, response, ...delivery } = row;
  const lastAttempt =
    startedAt === null || durationMs === null || outcome === null
      ? null
      : { startedAt, durationMs, outcome, status, response };
  return { ...delivery, lastAttempt };
}
