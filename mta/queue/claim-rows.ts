/** The rows behind claims: taking due ones, giving them back, and finding out where there are any. */
import type pg from 'pg';
import type { ClaimedRow, FlowKey } from './rows.ts';

export interface WantedRows extends FlowKey {
  count: number;
}

interface ClaimResult {
  zone: string;
  organization_id: string;
  domain: string;
  priority: number;
  queue_id: string;
  sequence: string;
  message_id: string;
  sender_domain: string | null;
  stream: string | null;
  pinned_address: string | null;
  tags: string[];
  recipient: string;
  claim_id: string;
  attempts: number;
  deferrals: number;
  expires_at: Date;
}

/**
 * Claims the longest due rows of each flow, at most `count`, passing over what another instance takes at this moment.
 * The attempt is counted now: a crash shows.
 */
export async function claimRows(
  db: Pick<pg.Pool, 'query'>,
  { instanceId, leaseSeconds, wanted }: { instanceId: string; leaseSeconds: number; wanted: WantedRows[] },
): Promise<ClaimedRow[]> {
  const { rows } = await db.query<ClaimResult>({
    name: 'claim_rows',
    text: `with picked as (
             select d.queue_id, d.sequence
               from unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[], $5::integer[])
                    as w (zone, organization_id, domain, priority, count)
              cross join lateral (
                    select queue_id, sequence
                      from deliveries
                     where zone = w.zone
                       and organization_id = w.organization_id
                       and domain = w.domain
                       and priority = w.priority
                       and due_at <= now()
                       and claim_id is null
                       and held_at is null
                       and paused_by is null
                       and expires_at > now()
                     order by due_at
                     limit w.count
                       for update skip locked
                    ) d
           )
           update deliveries d
              set claim_id = nextval('claim_ids'),
                  claimed_by = $6,
                  claimed_until = now() + make_interval(secs => $7),
                  attempts = d.attempts + 1
             from picked
            where d.queue_id = picked.queue_id
              and d.sequence = picked.sequence
        returning d.zone, d.organization_id, d.domain, d.priority, d.queue_id, d.sequence, d.message_id, d.tags,
                  d.sender_domain, d.stream, d.pinned_address, d.recipient, d.claim_id, d.attempts, d.deferrals, d.expires_at`,
    values: [
      wanted.map((flow) => flow.zone),
      wanted.map((flow) => flow.organizationId),
      wanted.map((flow) => flow.domain),
      wanted.map((flow) => flow.priority),
      wanted.map((flow) => flow.count),
      instanceId,
      leaseSeconds,
    ],
  });
  return rows.map((row) => ({
    zone: row.zone,
    organizationId: Number(row.organization_id),
    domain: row.domain,
    priority: row.priority,
    queueId: row.queue_id,
    sequence: row.sequence,
    messageId: Number(row.message_id),
    senderDomain: row.sender_domain ?? undefined,
    stream: row.stream ?? undefined,
    pinnedAddress: row.pinned_address ?? undefined,
    tags: row.tags,
    recipient: row.recipient,
    claimId: row.claim_id,
    attempts: row.attempts,
    deferrals: row.deferrals,
    expiresAt: row.expires_at.getTime(),
  }));
}

/** These are due again at once. Their attempt never began: it is not counted. */
export async function giveBackRows(
  pool: pg.Pool,
  claimIds: string[],
  { hasBegun }: { hasBegun: boolean },
): Promise<void> {
  await pool.query(
    `update deliveries
        set claim_id = null, claimed_by = null, claimed_until = null,
            attempts = case when $2 then attempts else attempts - 1 end
      where claim_id = any($1::bigint[])`,
    [claimIds, hasBegun],
  );
}

/** The flows of unclaimed deliveries, each with the moment it is due next. Walks the index from flow to flow. */
export async function findFlows(pool: pg.Pool): Promise<(FlowKey & { dueAt: number })[]> {
  const { rows } = await pool.query<{
    zone: string;
    organization_id: string;
    domain: string;
    priority: number;
    due_at: Date;
  }>(
    `with recursive flow as (
       (select zone, organization_id, domain, priority, due_at
          from deliveries
         where claim_id is null and held_at is null and paused_by is null
         order by zone, organization_id, domain, priority, due_at
         limit 1)
       union all
       select next.*
         from flow
        cross join lateral (
              select zone, organization_id, domain, priority, due_at
                from deliveries
               where claim_id is null
                 and held_at is null
                 and paused_by is null
                 and (zone, organization_id, domain, priority)
                     > (flow.zone, flow.organization_id, flow.domain, flow.priority)
               order by zone, organization_id, domain, priority, due_at
               limit 1
              ) next
     )
     select * from flow`,
  );
  return rows.map((row) => ({
    zone: row.zone,
    organizationId: Number(row.organization_id),
    domain: row.domain,
    priority: row.priority,
    dueAt: row.due_at.getTime(),
  }));
}

/** For each flow, in order, the moment it is due next; undefined where nothing is left. */
export async function findNextDue(pool: pg.Pool, flows: FlowKey[]): Promise<(number | undefined)[]> {
  const { rows } = await pool.query<{ due_at: Date | null }>({
    name: 'find_next_due',
    text: `select (select min(due_at)
                     from deliveries d
                    where d.zone = w.zone
                      and d.organization_id = w.organization_id
                      and d.domain = w.domain
                      and d.priority = w.priority
                      and claim_id is null
                      and held_at is null
                      and paused_by is null) as due_at
             from unnest($1::text[], $2::bigint[], $3::text[], $4::smallint[])
                  with ordinality as w (zone, organization_id, domain, priority, number)
            order by w.number`,
    values: [
      flows.map((flow) => flow.zone),
      flows.map((flow) => flow.organizationId),
      flows.map((flow) => flow.domain),
      flows.map((flow) => flow.priority),
    ],
  });
  return rows.map((row) => row.due_at?.getTime());
}
