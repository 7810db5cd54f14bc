/** Runs one job of the schedule, and notes and tells what came of it. Never throws: the clock tries again. */
import { sendNotice } from '../mail/notice.ts';
import { finishRun, type RunOutcome, startRun } from '../models/scheduled-run.ts';
import { type PeriodicJob, schedule } from './schedule.ts';
import type { PeriodicContext, PeriodicWork } from './scheduled.ts';

type Change = 'failed' | 'recovered' | 'as_before';

export async function runPeriodic(
  name: PeriodicJob,
  work: PeriodicWork,
  context: PeriodicContext,
): Promise<void> {
  const { pool, log } = context;
  const startedAt = new Date();
  const outcome = await attempt(name, work, context, startedAt);
  try {
    const wasFailing = await finishRun(pool, name, outcome);
    await tell(name, outcome, changeOf(outcome, wasFailing), startedAt, context);
  } catch (err) {
    log.warn({ err, job: name }, 'job.not_noted');
  }
}

async function attempt(
  name: PeriodicJob,
  work: PeriodicWork,
  context: PeriodicContext,
  startedAt: Date,
): Promise<RunOutcome> {
  const clock = performance.now();
  const seconds = () => (performance.now() - clock) / 1000;
  try {
    await startRun(context.pool, name, startedAt);
    const result = await work(context);
    const detail = result ? JSON.stringify(result, null, 2) : '';
    if (result) context.log.info({ job: name, result }, 'job.finished');
    return { isWell: true, detail, seconds: seconds() };
  } catch (err) {
    context.log.warn({ err, job: name }, 'job.failed');
    return { isWell: false, detail: err instanceof Error ? err.message : String(err), seconds: seconds() };
  }
}

function changeOf({ isWell }: RunOutcome, wasFailing: boolean): Change {
  if (isWell === !wasFailing) return 'as_before';
  return isWell ? 'recovered' : 'failed';
}

/** Through Postern itself: when that is what fails, the log, the metrics and `postern schedule` say so. */
async function tell(
  name: PeriodicJob,
  { isWell, detail, seconds }: RunOutcome,
  change: Change,
  startedAt: Date,
  { store, settings, log }: PeriodicContext,
): Promise<void> {
  const { mails, about } = schedule[name];
  const { mailTo } = settings.schedule;
  const isWorthwhile = change !== 'as_before' || (mails === 'results' && (detail !== '' || !isWell));
  if (mailTo === '' || !isWorthwhile) return;
  const at = startedAt.toISOString();
  const how = isWell ? 'done' : 'FAILED';
  const reason = await sendNotice(store, settings, {
    to: mailTo,
    subject: `[postern ${settings.instanceId}] ${name}: ${change === 'recovered' ? 'works again' : how}`,
    text: `${about}.\n\nBegan ${at}, ended after ${seconds.toFixed(1)} s: ${how}.\n\n${detail}\n`,
    tag: 'schedule-notice',
    name: `schedule ${name} ${at}`,
  });
  if (reason) log.warn({ job: name, reason }, 'job.operator_not_told');
}
