/** The reports of TLS that were sent (RFC 8460): each day of a domain once. */
import type { Queryable } from '../database.ts';

/** By the address that it went to: null where it was taken, else why not. */
export type ReportOutcomes = Record<string, string | null>;

export interface SentTlsReport {
  domain: string;
  /** As 2026-01-31, UTC */
  day: string;
  outcomes: ReportOutcomes;
}

export async function listReportedDomains(db: Queryable, day: string): Promise<Set<string>> {
  const { rows } = await db.query<{ domain: string }>('select domain from tls_reports where day = $1', [day]);
  return new Set(rows.map(({ domain }) => domain));
}

/** Nobody asks for a day twice after that. */
const KEPT_DAYS = 30;

export async function reapTlsReports(db: Queryable): Promise<void> {
  await db.query('delete from tls_reports where created_at < now() - make_interval(days => $1)', [KEPT_DAYS]);
}

export async function noteReport(db: Queryable, { domain, day, outcomes }: SentTlsReport): Promise<void> {
  await db.query(
    'insert into tls_reports (domain, day, outcomes) values ($1, $2, $3) on conflict do nothing',
    [domain, day, JSON.stringify(outcomes)],
  );
}
