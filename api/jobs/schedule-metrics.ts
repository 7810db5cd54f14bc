/** When each job of the schedule was last done, and whether it fails: of all workers, read when it is asked for. */
import { Gauge, type Registry } from 'prom-client';
import type { Pool } from '../database.ts';
import { listRuns, type ScheduledRun } from '../models/scheduled-run.ts';

export function createScheduleMetrics(pool: Pool, registry: Registry): void {
  const gauge = (name: string, help: string, read: (run: ScheduledRun) => number | undefined) =>
    new Gauge({
      name,
      help,
      // Not `job`: that is what Prometheus calls the process it scrapes.
      labelNames: ['task'],
      registers: [registry],
      async collect() {
        for (const run of await listRuns(pool)) {
          const value = read(run);
          if (value !== undefined) this.set({ task: run.job }, value);
        }
      },
    });
  gauge(
    'postern_job_last_success_timestamp_seconds',
    'When a scheduled job last ended well',
    ({ succeededAt }) => (succeededAt ? succeededAt.getTime() / 1000 : undefined),
  );
  gauge('postern_job_failing', '1 where the last run of a scheduled job failed', ({ failingSince }) =>
    failingSince ? 1 : 0,
  );
  gauge(
    'postern_job_last_seconds',
    'How long the last run of a scheduled job took',
    ({ seconds }) => seconds ?? undefined,
  );
}
