/** What others report about the mail of our domains: DMARC (RFC 7489) and TLS (RFC 8460), by domain, source and day. */
import type { DomainReport, ReadReport, ReportRow } from '../../lib/rpc/contracts/domain-reports.ts';
import type { Queryable } from '../database.ts';
import { toStorable } from './event.ts';

const REAP_BATCH = 500;

export type DomainReportOutcome = 'recorded' | 'repeated' | 'rejected' | 'unknown_domain';

export interface DomainReportRow {
  id: number;
  kind: DomainReport['kind'];
  reporter: string;
  reportId: string;
  authenticatedDomains: string[];
  beganAt: Date;
  endedAt: Date;
  receivedAt: Date;
  messages: number;
  passed: number;
}

/** Of one day, source and result */
export interface ReportSum {
  kind: DomainReport['kind'];
  /** YYYY-MM-DD (UTC) */
  day: string;
  source: string;
  result: string;
  isPassed: boolean;
  messages: number;
}

export interface ReportQuery {
  domainId: number;
  kind: string | undefined;
  /** YYYY-MM-DD, inclusive */
  since: string | undefined;
  limit: number;
}

/** The report with its rows, or nothing of it: call it inside a transaction. */
export async function recordDomainReport(tx: Queryable, report: DomainReport): Promise<DomainReportOutcome> {
  const { content } = report;
  if (content.state === 'rejected') {
    const id = await insertReport(tx, report, { reason: content.reason });
    return id === undefined ? 'repeated' : 'rejected';
  }
  const domainId = await findDomainId(tx, content.domain);
  if (domainId === undefined) return 'unknown_domain';
  const id = await insertReport(tx, report, { domainId, content });
  if (id === undefined) return 'repeated';
  await insertRows(tx, { id, domainId, kind: report.kind, day: content.beganAt.slice(0, 10) }, content.rows);
  return 'recorded';
}

/** Newest first. */
export async function listDomainReports(db: Queryable, query: ReportQuery): Promise<DomainReportRow[]> {
  const { rows } = await db.query<DomainReportRow>(
    `select report.id, report.kind, reporter,
            report.report_id      as "reportId",
            authenticated_domains as "authenticatedDomains",
            began_at              as "beganAt",
            ended_at              as "endedAt",
            received_at           as "receivedAt",
            coalesce(sum(messages), 0)::float8                            as messages,
            coalesce(sum(messages) filter (where is_passed), 0)::float8   as passed
       from domain_reports report
       left join domain_report_rows line on line.report_id = report.id
      where report.domain_id = $1
        and ($2::text is null or report.kind = $2)
        and ($3::date is null or began_at >= $3::date)
      group by report.id
      order by report.id desc
      limit $4`,
    [query.domainId, query.kind ?? null, query.since ?? null, query.limit],
  );
  return rows;
}

/** The newest day first, in it what concerns most messages. */
export async function sumDomainReports(db: Queryable, query: ReportQuery): Promise<ReportSum[]> {
  const { rows } = await db.query<ReportSum>(
    `select kind, day::text as day, source, result, is_passed as "isPassed", sum(messages)::float8 as messages
       from domain_report_rows
      where domain_id = $1
        and ($2::text is null or kind = $2)
        and ($3::date is null or day >= $3::date)
      group by kind, domain_report_rows.day, source, result, is_passed
      order by domain_report_rows.day desc, sum(messages) desc, source, result
      limit $4`,
    [query.domainId, query.kind ?? null, query.since ?? null, query.limit],
  );
  return rows;
}

/** @returns how many are gone */
export async function reapDomainReports(db: Queryable, days: number): Promise<number> {
  for (let reaped = 0; ; ) {
    const { rowCount } = await db.query(
      `delete from domain_reports
        where id = any(array(select id from domain_reports
                              where received_at < now() - make_interval(days => $1)
                              order by received_at
                              limit $2))`,
      [days, REAP_BATCH],
    );
    reaped += rowCount ?? 0;
    if ((rowCount ?? 0) < REAP_BATCH) return reaped;
  }
}

async function findDomainId(db: Queryable, name: string): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>(
    'select id from domains where name = $1 and deleted_at is null',
    [name],
  );
  return rows[0]?.id;
}

/** Undefined: it is there already, by its mail or by its reporter's name of it. */
async function insertReport(
  tx: Queryable,
  { digest, kind, authenticatedDomains, receivedAt }: DomainReport,
  about: { reason: string } | { domainId: number; content: ReadReport },
): Promise<number | undefined> {
  const read = 'content' in about ? about : undefined;
  const content = read && toStorable(read.content);
  const { rows } = await tx.query<{ id: number }>(
    `insert into domain_reports (digest, kind, state, reason, authenticated_domains, received_at,
                                 domain_id, reporter, report_id, began_at, ended_at)
          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     on conflict do nothing
       returning id`,
    [
      digest,
      kind,
      read ? 'read' : 'rejected',
      'reason' in about ? about.reason : null,
      authenticatedDomains,
      receivedAt,
      read?.domainId ?? null,
      content?.reporter ?? null,
      content?.reportId ?? null,
      content?.beganAt ?? null,
      content?.endedAt ?? null,
    ],
  );
  return rows[0]?.id;
}

async function insertRows(
  tx: Queryable,
  report: { id: number; domainId: number; kind: string; day: string },
  lines: readonly ReportRow[],
): Promise<void> {
  const rows = toStorable(lines);
  await tx.query(
    `insert into domain_report_rows (report_id, domain_id, kind, day, source, result, is_passed, messages)
          select $1, $2, $3, $4, source, result, is_passed, sum(messages)
            from unnest($5::text[], $6::text[], $7::boolean[], $8::bigint[])
                 as line (source, result, is_passed, messages)
           group by source, result, is_passed`,
    [
      report.id,
      report.domainId,
      report.kind,
      report.day,
      rows.map(({ source }) => source),
      rows.map(({ result }) => result),
      rows.map(({ isPassed }) => isPassed),
      rows.map(({ messages }) => messages),
    ],
  );
}
