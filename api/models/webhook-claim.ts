/**
 * Which webhooks are sent next. Rows are claimed with `for update skip locked`: any number of
 * workers may do it. A claim is a lease: it moves the row's next attempt on by the lease, so that what a dead worker
 * had in hand is due again by itself (HK-11), and has an id, so that a worker that comes back late changes nothing.
 *
 * Of the deliveries of one message to one endpoint only the oldest unfinished one is ever claimed: order is kept.
 */
import type { Pool, Queryable } from '../database.ts';
import type { WebhookEventData } from '../webhooks/payload.ts';

/** Twice the longest attempt. */
const LEASE_SECONDS = 30;
/** Of mail that came in: it may wait for 20 s, and be taken apart for 5, or for 20 without a wait, before the attempt. */
const INBOUND_LEASE_SECONDS = 45;
/** By SMTP (inbound/smtp-sender.ts): a server may take minutes over a message, and then must not get it a second time. */
const SMTP_LEASE_SECONDS = 600;
const PUT_BACK_SECONDS = 5;
/** So many failures in a row, and an endpoint is tried by one attempt at a time. */
const TROUBLED_FAILURES = 3;

export interface ClaimedDelivery {
  position: number;
  id: string;
  claim: string;
  event: string;
  messageId: number | null;
  /** Of an inbound route: what it is sent */
  inboundMessageId: number | null;
  data: WebhookEventData;
  occurredAt: Date;
  /** Attempts that failed before this one */
  attempts: number;
  webhookId: number;
  domainId: number;
  url: string;
  secretSealed: Buffer;
  /** Null when there is none or its time is over */
  oldSecretSealed: Buffer | null;
  /** Its endpoint fails, or is an SMTP server, which may take minutes. */
  isSlow: boolean;
}

export interface ClaimRequest {
  /** Attempts that are under way, by endpoint */
  underWay: ReadonlyMap<number, number>;
  perEndpoint: number;
  limit: number;
  /** Of those, for endpoints that fail, and SMTP servers */
  slowLimit: number;
}

/** Due ones, the longest due of each endpoint first, each claimed for its lease; a fair share of `limit` for each. */
export async function claimDeliveries(
  pool: Queryable,
  { underWay, perEndpoint, limit, slowLimit }: ClaimRequest,
): Promise<ClaimedDelivery[]> {
  const { rows } = await pool.query<ClaimedDelivery>(
    `with recursive busy as ( -- the endpoints something waits for: one probe of the index each
       (select webhook_id from webhook_deliveries where state = 'pending' order by webhook_id limit 1)
       union all
       select (select webhook_id from webhook_deliveries
                where state = 'pending' and webhook_id > busy.webhook_id
                order by webhook_id limit 1)
         from busy
        where busy.webhook_id is not null
     ), open as (
       select webhook.*,
              failures >= ${TROUBLED_FAILURES} as is_troubled,
              failures >= ${TROUBLED_FAILURES} or url ^@ 'smtp' as is_slow,
              case when failures >= ${TROUBLED_FAILURES} then 1 else $3::integer end - coalesce(running.count, 0) as slots
         from busy
         join webhooks webhook on webhook.id = busy.webhook_id
         left join unnest($1::bigint[], $2::integer[]) as running (webhook_id, count)
                on running.webhook_id = webhook.id
        where disabled_at is null
          and deleted_at is null
          and (paused_until is null or paused_until <= now())
          and (select next_attempt_at
                 from webhook_deliveries
                where webhook_id = webhook.id and state = 'pending'
                order by next_attempt_at
                limit 1) <= now()
     ), turn as ( -- all get their share; when there is not enough for that, chance decides who waits
       select open.*,
              case when is_slow then 1
                   else least(slots, greatest($4::integer / count(*) over (), 1)) end as share,
              row_number() over (partition by is_slow order by is_troubled, random()) as turn
         from open
        where slots > 0 and (not is_slow or $5::integer > 0)
        order by is_troubled, turn
        limit $4
     ), due as (
       select delivery.position
         from turn
        cross join lateral (
              select position
                from webhook_deliveries candidate
               where candidate.webhook_id = turn.id
                 and candidate.state = 'pending'
                 and candidate.next_attempt_at <= now()
                 -- "not exists" Postgres would make a join, which reads all that waits for the endpoint, squared (HK-12)
                 and candidate.position = coalesce((select position
                                                      from webhook_deliveries oldest
                                                     where oldest.webhook_id = candidate.webhook_id
                                                       and oldest.message_id = candidate.message_id
                                                       and oldest.state = 'pending'
                                                     order by oldest.position
                                                     limit 1), candidate.position)
               order by next_attempt_at, position
               limit turn.share
                 for update skip locked) delivery
        where not is_slow or turn.turn <= $5
     )
     update webhook_deliveries delivery
        set claim           = gen_random_uuid(),
            next_attempt_at = now() + make_interval(secs => case when open.url ^@ 'smtp' then ${SMTP_LEASE_SECONDS}
                                                                 when delivery.inbound_message_id is not null
                                                                   then ${INBOUND_LEASE_SECONDS}
                                                                 else ${LEASE_SECONDS} end)
       from due, open
      where delivery.position = due.position and open.id = delivery.webhook_id
  returning delivery.position, delivery.id, delivery.claim, delivery.event, delivery.data, delivery.attempts,
            delivery.message_id  as "messageId",
            delivery.inbound_message_id as "inboundMessageId",
            delivery.occurred_at as "occurredAt",
            delivery.webhook_id  as "webhookId",
            open.domain_id       as "domainId",
            open.url,
            open.secret_sealed   as "secretSealed",
            open.is_slow         as "isSlow",
            case when open.old_secret_retires_at > now() then open.old_secret_sealed end as "oldSecretSealed"`,
    [[...underWay.keys()], [...underWay.values()], perEndpoint, limit, Math.max(0, slowLimit)],
  );
  return rows;
}

/** It was not tried, and is due again in a moment. */
export async function putBack(
  db: Queryable,
  { position, claim }: Pick<ClaimedDelivery, 'position' | 'claim'>,
): Promise<void> {
  await db.query(
    `update webhook_deliveries
        set claim = null, next_attempt_at = now() + make_interval(secs => ${PUT_BACK_SECONDS})
      where position = $1 and claim = $2`,
    [position, claim],
  );
}

/** How long the longest due webhook of an endpoint that is on has been due, in seconds; 0 when none is. */
export async function measureWebhooks(pool: Pool): Promise<{ oldestDueSeconds: number }> {
  const { rows } = await pool.query<{ oldestDueSeconds: number }>(
    `select coalesce(extract(epoch from now() - min(delivery.next_attempt_at)), 0)::float8 as "oldestDueSeconds"
       from webhooks webhook
      cross join lateral (select next_attempt_at from webhook_deliveries
                           where webhook_id = webhook.id and state = 'pending' and next_attempt_at < now()
                           order by next_attempt_at limit 1) delivery
      where webhook.disabled_at is null and webhook.deleted_at is null
        and (webhook.paused_until is null or webhook.paused_until <= now())`,
  );
  return rows[0] ?? { oldestDueSeconds: 0 };
}
