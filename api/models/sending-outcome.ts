/**
 * How much of an organization's mail arrives, bounces, is spam or is complained about, over windows that slide.
 *
 * Counted in the transaction of the events, so each event counts once however many processes report; by an insert, so that
 * no transaction waits for another. A row a batch of events is folded into a row a minute by the guard.
 */
import type { Outcomes, Standing } from '../abuse/judge.ts';
import type { Queryable } from '../database.ts';
import type { NewEvent } from './event.ts';

/** Of a message, what decides whose count it goes into */
export interface Sender {
  organizationId: number;
  isSandbox: boolean;
  /** Somebody else has written it. */
  isForward: boolean;
}

export interface SendingRecord extends Standing {
  organizationId: number;
  name: string;
  windows: Outcomes[];
}

type Kind = 'delivered' | 'bounced' | 'spam' | 'complained';

/** @param news events that changed something, of messages in `senders` */
export async function countOutcomes(
  tx: Queryable,
  news: Iterable<NewEvent>,
  senders: ReadonlyMap<number, Sender>,
): Promise<void> {
  const counts = new Map<number, Record<Kind, number>>();
  for (const event of news) {
    const sender = senders.get(event.messageId);
    const kind = kindOf(event);
    if (!kind || !sender || sender.isSandbox || sender.isForward) continue;
    const count = counts.get(sender.organizationId) ?? { delivered: 0, bounced: 0, spam: 0, complained: 0 };
    count[kind] += 1;
    counts.set(sender.organizationId, count);
  }
  if (counts.size === 0) return;
  const rows = [...counts.values()];
  await tx.query({
    name: 'count-outcomes',
    text: `insert into sending_outcomes (organization_id, delivered, bounced, spam, complained)
           select * from unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[], $5::integer[])`,
    values: [
      [...counts.keys()],
      ...(['delivered', 'bounced', 'spam', 'complained'] as const).map((kind) =>
        rows.map((row) => row[kind]),
      ),
    ],
  });
}

/** A bounce that says nothing of the address (our own reputation, a policy) is not held against the sender. */
function kindOf({ type, data }: NewEvent): Kind | undefined {
  if (type === 'bounced') return data.bounce?.is_hard === false ? undefined : 'bounced';
  return type === 'delivered' || type === 'spam' || type === 'complained' ? type : undefined;
}

/** Makes one row of those of a minute that is over, and removes what no window reaches. One statement each. */
export async function foldOutcomes(db: Queryable, keepSeconds: number): Promise<void> {
  await db.query(
    `with gone as (
       delete from sending_outcomes
        where not is_folded and counted_at < date_trunc('minute', now() - interval '1 minute')
    returning *
     )
     insert into sending_outcomes (organization_id, counted_at, is_folded, delivered, bounced, spam, complained)
          select organization_id, date_trunc('minute', counted_at), true,
                 sum(delivered), sum(bounced), sum(spam), sum(complained)
            from gone
           group by 1, 2`,
  );
  await db.query(`delete from sending_outcomes where counted_at < now() - make_interval(secs => $1)`, [
    keepSeconds,
  ]);
}

/** Of all that may send and have sent within the longest window. */
export async function listRecords(
  db: Queryable,
  windowsSeconds: readonly number[],
): Promise<SendingRecord[]> {
  const { rows } = await db.query<Outcomes & Standing & { organizationId: number; name: string }>(
    `select organization.id            as "organizationId",
            organization.name,
            organization.throttled_at  as "throttledAt",
            span.seconds               as "windowSeconds",
            coalesce(sum(delivered),  0)::int as delivered,
            coalesce(sum(bounced),    0)::int as bounced,
            coalesce(sum(spam),       0)::int as spam,
            coalesce(sum(complained), 0)::int as complained
       from organizations organization
      cross join unnest($1::integer[]) as span (seconds)
       left join sending_outcomes outcome
         on outcome.organization_id = organization.id
        and outcome.counted_at > now() - make_interval(secs => span.seconds)
        and outcome.counted_at >= coalesce(organization.outcomes_count_from, '-infinity')
      where organization.suspended_at is null
        and (organization.throttled_at is not null
             or exists (select from sending_outcomes where organization_id = organization.id))
      group by organization.id, span.seconds`,
    [windowsSeconds],
  );
  return [...Map.groupBy(rows, (row) => row.organizationId)].map(([organizationId, windows]) => ({
    organizationId,
    name: windows[0]?.name ?? '',
    throttledAt: windows[0]?.throttledAt ?? null,
    windows,
  }));
}
