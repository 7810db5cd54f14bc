/** DU-10: the clock of the machine is set forward or back. No burst, no stall, nothing twice. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { Limit } from '../../../mta/queue/destinations.ts';
import type { ClaimedRow } from '../../../mta/queue/rows.ts';
import { nextAttemptAt } from '../../../mta/queue/schedule.ts';
import { Scheduler } from '../../../mta/queue/scheduler.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { createClaims, createQueueDatabase, queueMessage, takeOne } from '../../support/queue.ts';

const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;
const flow = { zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 };

const moments = {
  'an ordinary day': Date.UTC(2026, 0, 15, 12),
  'the end of summer time': Date.UTC(2026, 9, 25, 1),
  'the end of 32 bits of seconds': 2_147_483_647_000,
};

function row(number: number): ClaimedRow {
  return {
    ...flow,
    ...{ queueId: `q${number}`, sequence: '001', recipient: 'r@one.test', claimId: String(number) },
    ...{ messageId: number, tags: [], attempts: 1, deferrals: 0, expiresAt: Number.MAX_SAFE_INTEGER },
  };
}

function schedulerWith(limit: Limit, rows: number): Scheduler {
  const scheduler = new Scheduler(() => limit);
  for (let number = 0; number < rows; number++) scheduler.addClaimed(row(number));
  return scheduler;
}

/** What leaves within so many seconds, with a tick ten times a second, each delivery ending at once. */
function countSent(scheduler: Scheduler, fromMs: number, seconds: number): number {
  let sent = 0;
  for (let now = fromMs; now < fromMs + seconds * SECOND_MS; now += 100) {
    scheduler.tick(now);
    for (let next = scheduler.take('default', now); next; next = scheduler.take('default', now)) {
      sent++;
      scheduler.release(next);
    }
  }
  return sent;
}

describe('a limit of ten a minute', () => {
  it('OB-13: of a hundred that are queued at most ten leave in any minute', () => {
    const limit: Limit = { connections: 10, ratePerSecond: 10 / 60, isShared: true };
    const scheduler = schedulerWith(limit, 100);
    const left: number[] = [];
    for (let now = 1_000_000; left.length < 100; now += 100) {
      scheduler.tick(now);
      const next = scheduler.take('default', now);
      if (!next) continue;
      left.push(now + Math.random() * SECOND_MS); // on its way to the wire
      scheduler.release(next);
    }

    left.sort((a, b) => a - b);
    const most = Math.max(
      ...left.map((from) => left.filter((at) => at >= from && at < from + 60_000).length),
    );
    assert.ok(most <= 10, `${most} in a minute`);
    assert.ok((left.at(-1) ?? 0) - (left[0] ?? 0) < 11 * 60_000, 'and hardly fewer');
  });
});

describe('the queue and a clock that is set', () => {
  for (const [name, start] of Object.entries(moments)) {
    for (const [direction, jump] of [
      ['back', -HOUR_MS],
      ['forward', HOUR_MS],
    ] as const) {
      it(`DU-10: a rate is kept when the clock goes ${direction} an hour on ${name}`, () => {
        const scheduler = schedulerWith({ connections: 10, ratePerSecond: 2 }, 100);
        countSent(scheduler, start, 5);

        const sent = countSent(scheduler, start + 5 * SECOND_MS + jump, 5);

        assert.ok(sent >= 9 && sent <= 12, `${sent} in five seconds at two a second`);
      });
    }

    it(`DU-10: a retry is due after its delay on ${name}`, () => {
      const next = nextAttemptAt({ deferrals: 0, expiresAt: start + HOUR_MS, now: start }, [60], () => 0);

      assert.equal(next?.getTime(), start + 60 * SECOND_MS);
    });
  }

  it('DU-10: when the clock goes back the database is asked what is due, and once', () => {
    const start = moments['an ordinary day'];
    const scheduler = schedulerWith({ connections: 10 }, 0);
    scheduler.tick(start);
    scheduler.noteLater(flow, start + 60 * SECOND_MS);
    scheduler.tick(start + SECOND_MS);
    assert.deepEqual(scheduler.planClaims('default', 5), []);

    scheduler.tick(start - HOUR_MS);

    const planned = scheduler.planClaims('default', 5);
    assert.equal(planned.length, 1);
    assert.equal(scheduler.finishClaims(planned, []).length, 1); // then: when is the next one due?
    scheduler.tick(start - HOUR_MS + 100);
    assert.deepEqual(scheduler.planClaims('default', 5), []);
  });

  describe('with claims', () => {
    let database: TestDatabase;
    before(async () => {
      database = await createQueueDatabase('clock');
    });
    after(() => database.drop());
    afterEach(() => mock.timers.reset());

    for (const jump of [-2 * HOUR_MS, 2 * HOUR_MS]) {
      it(`DU-10: a delivery under way keeps its lease when the clock moves by ${jump / HOUR_MS} h`, async () => {
        const claims = createClaims(database);
        await claims.start();
        await queueMessage(database);
        claims.noteDue([flow]);
        const taken = await takeOne(claims);

        mock.timers.enable({ apis: ['Date'], now: Date.now() + jump });

        assert.deepEqual(claims.liveClaimIds(), [taken?.claimId]);
        mock.timers.reset();
        await claims.close();
      });
    }
  });
});
