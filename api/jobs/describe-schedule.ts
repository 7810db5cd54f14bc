/** The schedule as people see it: every job, when it was last done, how that ended, and when it comes next. */
import { CronExpressionParser } from 'cron-parser';
import type { ScheduledRun } from '../models/scheduled-run.ts';
import { type Periodic, schedule } from './schedule.ts';

export interface DescribedJob {
  job: string;
  cron: string;
  about: string;
  /** `overdue`: it began, and has neither ended nor time left */
  result: 'never run' | 'running' | 'overdue' | 'well' | 'failing';
  detail: string;
  startedAt: string | null;
  seconds: number | null;
  nextAt: string;
}

export function describeSchedule(runs: readonly ScheduledRun[], now: Date): DescribedJob[] {
  const byJob = new Map(runs.map((run) => [run.job, run]));
  return Object.entries(schedule).map(([job, { cron, about, longestSeconds }]: [string, Periodic]) => {
    const run = byJob.get(job);
    return {
      ...{ job, cron, about },
      result: resultOf(run, longestSeconds, now),
      detail: run?.detail ?? '',
      startedAt: run?.startedAt.toISOString() ?? null,
      seconds: run?.seconds ?? null,
      nextAt: nextRun(cron, now).toISOString(),
    };
  });
}

/** As pg-boss reads it: by the same package, in UTC. */
function nextRun(cron: string, after: Date): Date {
  return CronExpressionParser.parse(cron, { currentDate: after, tz: 'UTC' }).next().toDate();
}

function resultOf(run: ScheduledRun | undefined, longestSeconds: number, now: Date): DescribedJob['result'] {
  if (!run) return 'never run';
  if (!run.finishedAt || run.finishedAt < run.startedAt) {
    const seconds = (now.getTime() - run.startedAt.getTime()) / 1000;
    return seconds > longestSeconds ? 'overdue' : 'running';
  }
  return run.failingSince ? 'failing' : 'well';
}
