import assert from 'node:assert/strict';
import { nextRun } from '../../../api/jobs/cron.ts';
import { describeSchedule } from '../../../api/jobs/describe-schedule.ts';
import { schedule } from '../../../api/jobs/schedule.ts';

describe('api/jobs/cron', () => {
  for (const [cron, after, next] of [
    ['* * * * *', '2026-01-01T00:00:30', '2026-01-01T00:01'],
    ['*/10 * * * *', '2026-01-01T23:50:00', '2026-01-02T00:00'],
    ['17 * * * *', '2026-01-01T00:17:00', '2026-01-01T01:17'],
    ['7 2 * * *', '2026-12-31T02:07:01', '2027-01-01T02:07'],
    ['7 4 * * 0', '2026-11-24T00:00:00', '2026-11-29T04:07'], // a Sunday
    ['0 0 29 2 *', '2027-03-01T00:00:00', '2028-02-29T00:00'],
  ] as const) {
    it(`${cron} after ${after} is ${next}`, () => {
      assert.equal(
        nextRun(cron, new Date(`${after}Z`))
          .toISOString()
          .slice(0, 16),
        next,
      );
    });
  }

  it('refuses what it does not know', () => {
    assert.throws(() => nextRun('1-5 * * * *', new Date(0)), /1-5 is not a field/);
    assert.throws(() => nextRun('0 0 31 2 *', new Date(0)), /never comes/);
  });
});

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
