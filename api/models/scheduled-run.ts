/** What became of the jobs of the schedule (jobs/schedule.ts) the last time; one row a job. */
import type { Queryable } from '../database.ts';

export interface RunOutcome {
  isWell: boolean;
  /** What it did, or why it failed */
  detail: string;
  seconds: number;
}

export interface ScheduledRun {
  job: string;
  startedAt: Date;
  /** Before `startedAt`: it runs, or died */
  finishedAt: Date | null;
  succeededAt: Date | null;
  failingSince: Date | null;
  seconds: number | null;
  detail: string;
}

const MAX_DETAIL = 10_000;

export async function startRun(db: Queryable, job: string, at: Date): Promise<void> {
  await db.query(
    `insert into scheduled_runs (job, started_at)
          values ($1, $2)
     on conflict (job) do update set started_at = excluded.started_at`,
    [job, at],
  );
}

/** @returns whether the run before it had failed */
export async function finishRun(
  db: Queryable,
  job: string,
  { isWell, detail, seconds }: RunOutcome,
): Promise<boolean> {
  const { rows } = await db.query<{ was_failing: boolean }>(
    `update scheduled_runs new
        set finished_at   = now(),
            succeeded_at  = case when $2 then now() else new.succeeded_at end,
            failing_since = case when $2 then null else coalesce(new.failing_since, now()) end,
            seconds       = $3,
            detail        = $4
       from (select job, failing_since from scheduled_runs where job = $1 for update) old
      where new.job = old.job
  returning old.failing_since is not null as was_failing`,
    [job, isWell, seconds, detail.slice(0, MAX_DETAIL).replaceAll('\0', '')],
  );
  return rows[0]?.was_failing ?? false;
}

export async function listRuns(db: Queryable): Promise<ScheduledRun[]> {
  const { rows } = await db.query<ScheduledRun>(
    `select job, started_at as "startedAt", finished_at as "finishedAt", succeeded_at as "succeededAt",
            failing_since as "failingSince", seconds, detail
       from scheduled_runs
      order by job`,
  );
  return rows;
}
