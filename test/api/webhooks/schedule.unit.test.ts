import assert from 'node:assert/strict';
import { readRetryAfter, scheduleAttempt } from '../../../api/webhooks/schedule.ts';

const start = new Date('2026-01-01T00:00:00Z');
const TABLE_SECONDS = [0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/** The waits between the attempts of a delivery that always fails. */
function waits(random: () => number): number[] {
  const found: number[] = [];
  let now = start;
  for (let attempts = 1; attempts < 20; attempts++) {
    const next = scheduleAttempt({ attempts, now, random });
    if (!next) break;
    found.push((next.getTime() - now.getTime()) / 1000);
    now = next;
  }
  return found;
}

describe('api/webhooks/schedule', () => {
  it('HK-9: makes ten attempts, after 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h', () => {
    assert.deepEqual([0, ...waits(() => 0.5)], TABLE_SECONDS);
  });

  it('HK-9: a tenth more or less', () => {
    const rounded = (factor: number) =>
      TABLE_SECONDS.slice(1).map((seconds) => Math.round(seconds * factor * 1000));
    assert.deepEqual(
      waits(() => 0).map((seconds) => seconds * 1000),
      rounded(0.9),
    );
    assert.deepEqual(
      waits(() => 1).map((seconds) => seconds * 1000),
      rounded(1.1),
    );
    const [first = 0] = waits(Math.random);
    assert.ok(first >= 4.5 && first <= 5.5);
  });

  const headers: [header: string | undefined, seconds: number | undefined][] = [
    [undefined, undefined],
    ['120', 120],
    [' 120 ', 120],
    ['Thu, 01 Jan 2026 00:02:00 GMT', 120],
    ['999999999', 86_400],
    ['9'.repeat(400), 86_400],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 86_400],
    ['Wed, 31 Dec 2025 23:59:59 GMT', undefined],
    ['-5', undefined],
    ['0', undefined],
    ['1.5', undefined],
    ['', undefined],
    ['soon', undefined],
    ['0x10', undefined],
  ];
  for (const [header, seconds] of headers) {
    it(`HK-8: Retry-After: ${header?.slice(0, 40)} asks for ${seconds} seconds`, () =>
      assert.equal(readRetryAfter(header, start), seconds));
  }

  it('HK-8: never comes back sooner than it was asked to, nor sooner than the schedule says', () => {
    const next = (retryAfterSeconds: number) =>
      scheduleAttempt({ attempts: 1, now: start, retryAfterSeconds, random: () => 0.5 });
    assert.equal(next(120)?.toISOString(), '2026-01-01T00:02:00.000Z');
    assert.equal(next(1)?.toISOString(), '2026-01-01T00:00:05.000Z');
  });
});
