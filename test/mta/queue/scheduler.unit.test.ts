import assert from 'node:assert/strict';
import type { Limit } from '../../../mta/queue/destinations.ts';
import type { ClaimedRow, FlowKey } from '../../../mta/queue/rows.ts';
import { Scheduler } from '../../../mta/queue/scheduler.ts';

const NOW = 1_000_000;
let count = 0;

function row(changes: Partial<ClaimedRow> = {}): ClaimedRow {
  const number = ++count;
  return {
    ...{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 },
    ...{ queueId: `q${number}`, sequence: '001', recipient: 'r@one.test', claimId: String(number) },
    ...{ messageId: number, tags: [] },
    ...{ attempts: 1, deferrals: 0, expiresAt: NOW * 2 },
    ...changes,
  };
}

const flow = (changes: Partial<FlowKey> = {}): FlowKey => ({
  ...{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 },
  ...changes,
});

function scheduler(limits: Record<string, Limit> = {}): Scheduler {
  return new Scheduler((destination) => limits[destination]);
}

function takeAll(schedule: Scheduler, now = NOW): ClaimedRow[] {
  const rows: ClaimedRow[] = [];
  for (let next = schedule.take('default', now); next; next = schedule.take('default', now)) rows.push(next);
  return rows;
}

describe('scheduler', () => {
  it('takes destinations in turn', () => {
    const schedule = scheduler();
    for (const domain of ['a.test', 'a.test', 'a.test', 'b.test', 'c.test'])
      schedule.addClaimed(row({ domain }));

    assert.deepEqual(
      takeAll(schedule).map(({ domain }) => domain),
      ['a.test', 'b.test', 'c.test', 'a.test', 'a.test'],
    );
  });

  it("takes organizations in turn: a burst does not hold up another's mail", () => {
    const schedule = scheduler();
    for (let i = 0; i < 1000; i++) schedule.addClaimed(row({ organizationId: 1, domain: `d${i % 50}.test` }));
    schedule.addClaimed(row({ organizationId: 2 }));

    const first = takeAll(schedule)
      .slice(0, 2)
      .map(({ organizationId }) => organizationId);

    assert.deepEqual(first.toSorted(), [1, 2]);
  });

  it('takes what is more urgent first, within an organization', () => {
    const schedule = scheduler();
    for (let i = 0; i < 10; i++) schedule.addClaimed(row({ domain: `d${i}.test`, priority: 9 }));
    schedule.addClaimed(row({ domain: 'd0.test', priority: 0 }));

    assert.equal(schedule.take('default', NOW)?.priority, 0);
  });

  it('keeps to the connections of a destination, and goes on when one ends', () => {
    const schedule = scheduler({ 'one.test': { connections: 2 } });
    for (let i = 0; i < 3; i++) schedule.addClaimed(row());
    const [first, second, ...more] = takeAll(schedule);
    assert.deepEqual([Boolean(first), Boolean(second), more.length], [true, true, 0]);

    schedule.release(first ?? assert.fail());

    assert.equal(takeAll(schedule).length, 1);
  });

  it('keeps to the connections of a site over all of its domains', () => {
    const schedule = scheduler({ 'site:big': { connections: 1 } });
    schedule.destinations.setSite('a.test', 'big');
    schedule.destinations.setSite('b.test', 'big');
    schedule.addClaimed(row({ domain: 'a.test' }));
    schedule.addClaimed(row({ domain: 'b.test' }));
    const [first, ...more] = takeAll(schedule);
    assert.equal(more.length, 0);

    schedule.release(first ?? assert.fail());

    assert.equal(takeAll(schedule).length, 1);
  });

  it('keeps to the rate of a destination', () => {
    const schedule = scheduler({ 'one.test': { connections: 100, ratePerSecond: 2 } });
    for (let i = 0; i < 20; i++) schedule.addClaimed(row());
    let sent = 0;
    for (let ms = 0; ms <= 5_000; ms += 100) {
      schedule.tick(NOW + ms);
      const taken = takeAll(schedule, NOW + ms);
      for (const done of taken) schedule.release(done);
      sent += taken.length;
    }

    assert.ok(sent >= 10 && sent <= 12, `${sent} in 5 s`);
  });

  it('plans claims for flows in turn, and not twice at a time', () => {
    const schedule = scheduler();
    for (const domain of ['a.test', 'b.test']) schedule.noteDue(flow({ domain }));

    const wanted = schedule.planClaims('default', 10);

    assert.deepEqual(
      wanted.map(({ domain, count: rows }) => [domain, rows]),
      [
        ['a.test', 5],
        ['b.test', 5],
      ],
    );
    assert.deepEqual(schedule.planClaims('default', 10), []);
  });

  it('stops asking a flow that gave less than was asked', () => {
    const schedule = scheduler();
    schedule.noteDue(flow());
    const wanted = schedule.planClaims('default', 10);

    schedule.finishClaims(wanted, [row()]);

    assert.deepEqual(schedule.planClaims('default', 10), []);
    assert.equal(takeAll(schedule).length, 1);
    assert.equal(schedule.flowCount, 0);
  });

  it('asks again after a claim that failed', () => {
    const schedule = scheduler();
    schedule.noteDue(flow());
    schedule.finishClaims(schedule.planClaims('default', 10), undefined);

    assert.equal(schedule.planClaims('default', 10).length, 1);
  });

  it('remembers when a flow is due later, and asks for the moment after that', () => {
    const schedule = scheduler();
    schedule.noteLater(flow(), NOW + 500);
    schedule.tick(NOW);
    assert.deepEqual(schedule.planClaims('default', 10), []);

    schedule.tick(NOW + 500);
    const unknown = schedule.finishClaims(schedule.planClaims('default', 10), [row()]);

    assert.deepEqual(
      unknown.map(({ domain }) => domain),
      ['one.test'],
    );
    schedule.setNextDue(flow(), undefined);
    takeAll(schedule);
    assert.equal(schedule.flowCount, 0);
  });

  it('claims little ahead for a destination at its limit, however much waits', () => {
    const schedule = scheduler({ 'one.test': { connections: 1 } });
    schedule.noteDue(flow());
    for (let round = 0; round < 50; round++) {
      const wanted = schedule.planClaims('default', 100);
      schedule.finishClaims(
        wanted,
        wanted.flatMap((want) => Array.from({ length: want.count }, () => row())),
      );
      schedule.take('default', NOW);
    }

    assert.ok(schedule.buffered <= 20, `${schedule.buffered} in memory`);
  });

  it('says when fresh rows are better left to the database', () => {
    const schedule = scheduler({ 'dead.test': { connections: 0 } });
    for (let i = 0; i < 100; i++) schedule.addClaimed(row({ domain: 'dead.test' }));
    assert.deepEqual(schedule.intakeState(), { isOpen: true, fullDomains: ['dead.test'] });

    for (let i = 0; i < 2000; i++) schedule.addClaimed(row({ domain: `d${i}.test` }));
    assert.equal(schedule.intakeState().isOpen, false);
  });

  it('gives up rows in memory', () => {
    const schedule = scheduler();
    schedule.addClaimed(row({ domain: 'a.test' }));
    schedule.addClaimed(row({ domain: 'b.test' }));

    const removed = schedule.removeWaiting(({ domain }) => domain === 'a.test');

    assert.equal(removed.length, 1);
    assert.deepEqual(
      takeAll(schedule).map(({ domain }) => domain),
      ['b.test'],
    );
  });
});

describe('scheduler and local addresses', () => {
  const [ONE, OTHER] = ['192.0.2.1', '192.0.2.2'];

  /** One delivery at a time from each address. */
  function pacedScheduler(sourcesOf: (row: ClaimedRow) => string[]): Scheduler {
    const schedule = new Scheduler(() => undefined, {
      sourcesOf,
      paces: { limitOf: () => ({ connections: 1 }), noteBlocked: () => {} },
    });
    schedule.destinations.setSite('one.test', 'big');
    return schedule;
  }

  it('takes the preferred address, and another of the pool while that one is at its pace', () => {
    const schedule = pacedScheduler(() => [ONE, OTHER]);
    for (let i = 0; i < 3; i++) schedule.addClaimed(row());
    const taken = takeAll(schedule);
    assert.deepEqual(
      taken.map(({ source }) => source),
      [ONE, OTHER],
    );

    schedule.release(taken[1] ?? assert.fail());

    assert.deepEqual(
      takeAll(schedule).map(({ source }) => source),
      [OTHER],
    );
  });

  it('wakes what waits at a site when the address has a token again, though nothing is under way by then', () => {
    const schedule = new Scheduler(() => undefined, {
      sourcesOf: () => [ONE],
      paces: { limitOf: () => ({ connections: 1, ratePerSecond: 1 }), noteBlocked: () => {} },
    });
    for (const domain of ['one.test', 'other.test']) {
      schedule.destinations.setSite(domain, 'big');
      schedule.addClaimed(row({ domain }));
    }
    const [first, ...more] = takeAll(schedule);
    assert.equal(more.length, 0);
    schedule.release(first ?? assert.fail(), { reaction: 'answer', response: '', now: NOW });
    assert.equal(takeAll(schedule).length, 0);

    schedule.tick(NOW + 1_000);

    assert.equal(takeAll(schedule, NOW + 1_000).length, 1);
  });

  it('passes over what waits for its address', () => {
    const schedule = pacedScheduler(({ pinnedAddress }) => [pinnedAddress ?? OTHER]);
    for (let i = 0; i < 2; i++) schedule.addClaimed(row({ pinnedAddress: ONE }));
    schedule.addClaimed(row());
    assert.deepEqual(
      takeAll(schedule).map(({ source }) => source),
      [ONE, OTHER],
    );
  });

  it('hands out what has no address to leave from: the sender says why', () => {
    const schedule = pacedScheduler(() => []);
    schedule.addClaimed(row());
    assert.deepEqual(
      takeAll(schedule).map(({ source }) => source),
      [undefined],
    );
  });

  it('lets mail wait until its site is known', () => {
    const asked: string[] = [];
    const schedule = new Scheduler(() => undefined, { onUnknownSite: (domain) => void asked.push(domain) });
    schedule.addClaimed(row());
    assert.equal(takeAll(schedule).length, 0);
    assert.deepEqual(asked, ['one.test']);

    schedule.destinations.setSite('one.test', 'big');
    schedule.reconsiderDestinations(new Set(['one.test']));

    assert.equal(takeAll(schedule).length, 1);
  });
});
