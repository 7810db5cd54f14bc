/** How much waits, by what operators select by; and whether anything is wrong with the queue. */
import type pg from 'pg';
import { type QueueCounts, readCounts } from '../queue/counters.ts';
import type { OldestDue } from '../queue/oldest-due.ts';
import { largest } from '../queue/oldest-due.ts';

/** Of each kind, those with the most deliveries. */
const MAX_ENTRIES = 50;

export type SummaryKind = 'zone' | 'organization' | 'domain' | 'site';

export interface SummaryEntry {
  name: string;
  deliveries: number;
  due: number;
  paused: number;
  held: number;
  /** Seconds; null where nothing is due */
  oldestDueSeconds: number | null;
}

export type Summary = Record<SummaryKind, SummaryEntry[]>;

/** One walk over the queue. */
export async function readSummary(pool: pg.Pool): Promise<Summary> {
  const { rows } = await pool.query<{
    kind: SummaryKind;
    name: string;
    deliveries: string;
    due: string;
    paused: string;
    held: string;
    oldest: number | null;
  }>(
    `with flow as materialized (
       select zone, organization_id, domain,
              count(*)                                                        as deliveries,
              count(*) filter (where is_due)                                  as due,
              count(*) filter (where paused_by is not null and held_at is null) as paused,
              count(*) filter (where held_at is not null)                     as held,
              min(due_at) filter (where is_due)                               as oldest
         from (select *, claim_id is null and held_at is null and paused_by is null and due_at <= now() as is_due
                 from deliveries) d
        group by zone, organization_id, domain
     ),
     named as (
       select 'zone' as kind, zone as name, flow.* from flow
        union all
       select 'organization', organization_id::text, flow.* from flow
        union all
       select 'domain', domain, flow.* from flow
        union all
       select 'site', coalesce(s.site, flow.domain), flow.*
         from flow
         left join destination_sites s on s.domain = flow.domain
     ),
     entry as (
       select kind, name, sum(deliveries) as deliveries, sum(due) as due, sum(paused) as paused, sum(held) as held,
              extract(epoch from now() - min(oldest))::float as oldest,
              row_number() over (partition by kind order by sum(deliveries) desc, name) as place
         from named
        group by kind, name
     )
     select kind, name, deliveries, due, paused, held, oldest
       from entry
      where place <= $1
      order by kind, place`,
    [MAX_ENTRIES],
  );
  const summary: Summary = { zone: [], organization: [], domain: [], site: [] };
  for (const { kind, name, oldest, ...counts } of rows) {
    summary[kind].push({
      name,
      deliveries: Number(counts.deliveries),
      due: Number(counts.due),
      paused: Number(counts.paused),
      held: Number(counts.held),
      oldestDueSeconds: oldest,
    });
  }
  return summary;
}

export interface Diagnosis {
  counts: QueueCounts;
  /** The site that waits longest among those with something due */
  oldestDue: { site: string; seconds: number } | null;
  outbox: { events: number; oldestSeconds: number; parked: number };
  /** Pauses that should have ended by themselves */
  overduePauses: number;
  pauses: number;
  paused: number;
}

export async function readDiagnosis(pool: pg.Pool, oldest: OldestDue): Promise<Diagnosis> {
  const counts = await readCounts(pool);
  const { rows } = await pool.query<{
    events: string;
    oldest: number;
    parked: string;
    pauses: string;
    overdue: string;
    paused: string;
  }>(
    `select (select count(*) from delivery_events where parked_reason is null)     as events,
            (select coalesce(extract(epoch from now() - min(created_at)), 0)::float
               from delivery_events where parked_reason is null)                   as oldest,
            (select count(*) from delivery_events where parked_reason is not null) as parked,
            (select count(*) from queue_pauses)                                    as pauses,
            (select count(*) from queue_pauses where ends_at < now() - interval '1 min') as overdue,
            (select count(*) from deliveries where paused_by is not null)          as paused`,
  );
  const [row] = rows;
  if (!row) throw new Error('a select without from gives a row');
  const [first] = largest(oldest.sites, 1);
  return {
    counts,
    oldestDue: first ? { site: first[0], seconds: first[1] } : null,
    outbox: { events: Number(row.events), oldestSeconds: row.oldest, parked: Number(row.parked) },
    overduePauses: Number(row.overdue),
    pauses: Number(row.pauses),
    paused: Number(row.paused),
  };
}
