import assert from 'node:assert/strict';
import { backupName, readBackupName } from '../../../deploy/backup/place.ts';
import { selectExpired } from '../../../deploy/backup/retention.ts';

const DAY_MS = 86_400_000;
const nothing = { keepDaily: 0, keepWeekly: 0, keepMonthly: 0 };

describe('deploy/backup/retention', () => {
  it('keeps the last of each day, and the newest', () => {
    const backups = at('2026-03-01T02:00', '2026-03-02T02:00', '2026-03-02T14:00', '2026-03-03T02:00');

    assert.deepEqual(expired(backups, { ...nothing, keepDaily: 2 }), [
      '2026-03-01T02:00',
      '2026-03-02T02:00',
    ]);
  });

  it('counts days that have one: a week without backups takes none away', () => {
    const backups = at('2026-02-01T02:00', '2026-02-02T02:00', '2026-03-03T02:00');

    assert.deepEqual(expired(backups, { ...nothing, keepDaily: 3 }), []);
  });

  it('begins weeks on Monday, also across the new year', () => {
    // 28 December 2026 is a Monday, 3 January 2027 the Sunday after it
    const backups = at('2026-12-27T02:00', '2026-12-28T02:00', '2027-01-03T02:00', '2027-01-04T02:00');

    assert.deepEqual(expired(backups, { ...nothing, keepWeekly: 2 }), [
      '2026-12-27T02:00',
      '2026-12-28T02:00',
    ]);
  });

  it('keeps the newest, though nothing is to be kept', () => {
    assert.deepEqual(expired(at('2026-01-01T00:00', '2026-01-02T00:00'), nothing), ['2026-01-01T00:00']);
    assert.deepEqual(expired([], nothing), []);
  });

  it('never holds more than it is asked to, over three years of nights', () => {
    const keeping = { keepDaily: 7, keepWeekly: 5, keepMonthly: 12 };
    let held: { createdAt: Date }[] = [];
    const start = Date.parse('2026-01-01T02:07:00Z');
    for (let night = 0; night < 1_100; night++) {
      held.push({ createdAt: new Date(start + night * DAY_MS) });
      const gone = new Set(selectExpired(held, keeping));
      held = held.filter((backup) => !gone.has(backup));
    }

    const days = held.map(({ createdAt }) => createdAt.toISOString().slice(0, 10));
    assert.equal(days.length, 7 + 3 + 10); // two of the weeks and of the months are among the days
    assert.deepEqual(days.slice(0, 3), ['2028-02-29', '2028-03-31', '2028-04-30']);
    assert.equal(days.at(-1), '2029-01-04');
  });

  it('reads the time from the name that it gives', () => {
    const name = backupName(new Date('2026-01-02T03:04:05.678Z'));

    assert.equal(name, 'postern-20260102T030405Z.tar.zst.age');
    assert.equal(readBackupName(name)?.toISOString(), '2026-01-02T03:04:05.000Z');
    assert.equal(readBackupName(`${name}.partial`), undefined);
  });
});

function at(...times: string[]): { createdAt: Date }[] {
  return times.map((time) => ({ createdAt: new Date(`${time}Z`) }));
}

function expired(backups: { createdAt: Date }[], keeping: Parameters<typeof selectExpired>[1]): string[] {
  return selectExpired(backups, keeping).map(({ createdAt }) => createdAt.toISOString().slice(0, 16));
}
