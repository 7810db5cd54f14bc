import assert from 'node:assert/strict';
import { describeSchedule } from '../../../api/jobs/describe-schedule.ts';
import { schedule } from '../../../api/jobs/schedule.ts';

describe('api/jobs/describe-schedule', () => {
  const now = new Date('2026-01-01T03:00:00Z');
  const run = (startedAt: string, changes: object = {}) => ({
    ...{ job: 'back-up', succeededAt: null, failingSince: null, seconds: 1, detail: '' },
    ...{ startedAt: new Date(startedAt), finishedAt: new Date(startedAt), ...changes },
  });
  const resultOf = (one?: ReturnType<typeof run>) =>
    describeSchedule(one ? [one] : [], now).find(({ job }) => job === 'back-up')?.result;

  it('names each job once, with its next run', () => {
    const described = describeSchedule([], now);

    assert.deepEqual(described.map(({ job }) => job).sort(), Object.keys(schedule).sort());
    assert.ok(described.every(({ nextAt }) => nextAt > now.toISOString()));
    const weekly = described.find(({ cron }) => cron.endsWith('* * 0'));
    assert.equal(new Date(weekly?.nextAt ?? 0).getUTCDay(), 0);
  });

  it('tells what runs from what died, and what failed from what is well', () => {
    const running = { finishedAt: null };
    assert.equal(resultOf(), 'never run');
    assert.equal(resultOf(run('2026-01-01T02:07:00Z', running)), 'running');
    assert.equal(resultOf(run('2025-12-31T02:07:00Z', running)), 'overdue');
    assert.equal(resultOf(run('2026-01-01T02:07:00Z')), 'well');
    assert.equal(resultOf(run('2026-01-01T02:07:00Z', { failingSince: now })), 'failing');
  });
});
