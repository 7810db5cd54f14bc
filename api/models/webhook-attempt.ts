/**
 * What became of attempts: for the webhook (delivered, due again, dead) and for its endpoint (well, failing, gone).
 * A claim that has another owner by now changes nothing (models/webhook-claim.ts).
 */
import type { Queryable } from '../database.ts';
import type { PostFailure } from '../webhooks/post.ts';

/** HK-10 */
const FAILING_FAILURES = 10;
const FAILING_MINUTES = 60;

export interface Attempt {
  position: number;
  claim: string;
  webhookId: number;
  startedAt: Date;
  durationMs: number;
  /** `failed`: an answer other than 2xx */
  outcome: 'delivered' | 'failed' | 'message_gone' | PostFailure;
  status: number | null;
  response: string | null;
  /** Null: none follows; it is delivered, or dead. */
  nextAttemptAt: Date | null;
  /** The endpoint asked to be left alone until then. */
  pauseUntil: Date | null;
  /** 410: the endpoint wants no more of them. */
  isGone: boolean;
}

/** An endpoint whose owner is to be told. */
export interface Trouble {
  webhookId: number;
  domainId: number;
  domain: string;
  url: string;
  notify: string | null;
  reason: 'failing' | 'gone';
  failures: number;
  /** ISO 8601, of the first of these failures */
  since: string;
}

/**
 * Writes down what became of attempts, and what follows from that for their endpoints. Inside a transaction.
 * @returns endpoints that have become failing, or are disabled, by this
 */
export async function concludeAttempts(tx: Queryable, attempts: readonly Attempt[]): Promise<Trouble[]> {
  if (attempts.length === 0) return [];
  await saveAttempts(tx, attempts);
  return judgeEndpoints(tx, attempts);
}

/**
 * What follows the delivery within its message comes when it comes: at once behind an end, else with the next attempt,
 * so that it is not looked at in vain.
 */
async function saveAttempts(tx: Queryable, attempts: readonly Attempt[]): Promise<void> {
  await tx.query(
    `with attempt as (
       select *
         from unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::integer[], $5::text[], $6::integer[], $7::text[],
                     $8::timestamptz[])
              as attempt (position, claim, started_at, duration_ms, outcome, status, response, next_attempt_at)
     ), concluded as (
       update webhook_deliveries delivery
          set claim           = null,
              attempts        = delivery.attempts + case when attempt.outcome = 'delivered' then 0 else 1 end,
              state           = case when attempt.outcome = 'delivered' then 'delivered'
                                     when attempt.next_attempt_at is null then 'dead'
                                     else 'pending' end,
              finished_at     = case when attempt.next_attempt_at is null then now() end,
              next_attempt_at = coalesce(attempt.next_attempt_at, now())
         from attempt
        where delivery.position = attempt.position and delivery.claim = attempt.claim
    returning delivery.position, delivery.webhook_id, delivery.message_id, delivery.next_attempt_at
     ), follower as (
       update webhook_deliveries delivery
          set next_attempt_at = concluded.next_attempt_at
         from concluded
        where delivery.webhook_id = concluded.webhook_id
          and delivery.message_id = concluded.message_id
          and delivery.position > concluded.position
          and delivery.state = 'pending'
          and delivery.claim is null
     )
     insert into webhook_attempts (position, started_at, duration_ms, outcome, status, response)
          select position, started_at, duration_ms, outcome, status, response
            from attempt
           where exists (select from webhook_deliveries where position = attempt.position) -- not purged meanwhile`,
    [
      attempts.map((attempt) => attempt.position),
      attempts.map((attempt) => attempt.claim),
      attempts.map((attempt) => attempt.startedAt),
      attempts.map((attempt) => attempt.durationMs),
      attempts.map((attempt) => attempt.outcome),
      attempts.map((attempt) => attempt.status),
      attempts.map((attempt) => attempt.response),
      attempts.map((attempt) => attempt.nextAttemptAt),
    ],
  );
}

async function judgeEndpoints(tx: Queryable, attempts: readonly Attempt[]): Promise<Trouble[]> {
  const endpoints = [...Map.groupBy(attempts, (attempt) => attempt.webhookId)]
    .map(([id, own]) => summarize(id, own))
    .filter(({ hasSucceeded, failures }) => hasSucceeded || failures > 0)
    .toSorted((a, b) => a.id - b.id); // two workers wait for each other in one direction only
  const { rows } = await tx.query<Trouble>(
    `with change as (
       select *
         from unnest($1::bigint[], $2::boolean[], $3::integer[], $4::timestamptz[], $5::boolean[])
              as change (id, has_succeeded, failures, paused_until, is_gone)
     ), before as (
       select webhook.id, webhook.failing_at, webhook.disabled_at,
              case when has_succeeded then 0 else webhook.failures end + change.failures as failures,
              case when change.failures = 0 then null
                   when has_succeeded       then now()
                   else coalesce(webhook.first_failure_at, now()) end                   as first_failure_at,
              change.has_succeeded, change.paused_until, change.is_gone
         from webhooks webhook
         join change on change.id = webhook.id
        where change.failures > 0 or webhook.failures > 0
        order by webhook.id
          for update of webhook
     ), after as (
       update webhooks webhook
          set failures         = before.failures,
              first_failure_at = before.first_failure_at,
              paused_until     = greatest(webhook.paused_until, before.paused_until),
              disabled_at      = case when before.is_gone then coalesce(webhook.disabled_at, now())
                                      else webhook.disabled_at end,
              disabled_reason  = case when before.is_gone then coalesce(webhook.disabled_reason, 'gone')
                                      else webhook.disabled_reason end,
              failing_at       = case
                when before.failures >= ${FAILING_FAILURES}
                     and before.first_failure_at <= now() - make_interval(mins => ${FAILING_MINUTES})
                then coalesce(webhook.failing_at, now())
                when not before.has_succeeded then webhook.failing_at end
         from before
        where webhook.id = before.id
    returning webhook.*, before.failing_at as was_failing_at, before.disabled_at as was_disabled_at
     )
     select after.id as "webhookId", after.domain_id as "domainId", domain.name as domain, after.url, after.notify,
            after.failures, to_json(after.first_failure_at) #>> '{}' as since,
            case when after.disabled_at is not null and was_disabled_at is null then 'gone' else 'failing' end as reason
       from after
       join domains domain on domain.id = after.domain_id
      where (after.failing_at is not null and was_failing_at is null)
         or (after.disabled_at is not null and was_disabled_at is null)`,
    [
      endpoints.map(({ id }) => id),
      endpoints.map(({ hasSucceeded }) => hasSucceeded),
      endpoints.map(({ failures }) => failures),
      endpoints.map(({ pausedUntil }) => pausedUntil),
      endpoints.map(({ isGone }) => isGone),
    ],
  );
  return rows;
}

/** Attempts in the order in which they ended: what counts is how many failed after the last success. */
function summarize(id: number, attempts: readonly Attempt[]) {
  const last = attempts.findLastIndex(({ outcome }) => outcome === 'delivered');
  const failed = attempts.slice(last + 1).filter(({ outcome }) => outcome !== 'message_gone');
  const pauses = failed.flatMap(({ pauseUntil }) => pauseUntil ?? []);
  return {
    id,
    hasSucceeded: last !== -1,
    failures: failed.length,
    pausedUntil: pauses.toSorted((a, b) => a.getTime() - b.getTime()).at(-1) ?? null,
    isGone: failed.some(({ isGone }) => isGone),
  };
}
