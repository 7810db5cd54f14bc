import assert from 'node:assert/strict';
import type { Limit } from '../../../mta/queue/destinations.ts';
import type { ClaimedRow } from '../../../mta/queue/rows.ts';
import { Scheduler } from '../../../mta/queue/scheduler.ts';
import type { ListedSlowdown, Reaction } from '../../../mta/queue/slowdowns.ts';

const NOW = 1_000_000;
const DOMAIN = 'busy.test';
let count = 0;

function row(domain: string): ClaimedRow {
  const number = ++count;
  return {
    ...{ zone: 'default', organizationId: 1, domain, priority: 5, messageId: number, tags: [] },
    ...{ queueId: `q${number}`, sequence: '001', recipient: `r@${domain}`, claimId: String(number) },
    ...{ attempts: 1, deferrals: 0, expiresAt: NOW * 2 },
  };
}

/** A destination with so much to send that its limit is what binds. */
class Destination {
  readonly scheduler: Scheduler;
  readonly changes: string[] = [];
  now = NOW;

  constructor(limit: Limit = { connections: 20 }, domains = [DOMAIN]) {
    const note = ({ destination }: ListedSlowdown, isOver: boolean) =>
      void this.changes.push(`${destination} ${isOver ? 'recovered' : 'slowed'}`);
    this.scheduler = new Scheduler((name) => (name.startsWith('site:') ? undefined : limit), {
      onSlowdown: note,
    });
    for (let i = 0; i < 500; i++) this.scheduler.addClaimed(row(domains[i % domains.length] ?? DOMAIN));
  }

  take(): ClaimedRow[] {
    this.scheduler.tick(this.now);
    const rows: ClaimedRow[] = [];
    const next = () => this.scheduler.take('default', this.now);
    for (let taken = next(); taken; taken = next()) rows.push(taken);
    return rows;
  }

  end(rows: ClaimedRow[], reaction: Reaction | undefined): void {
    for (const ended of rows)
      this.scheduler.release(ended, { reaction, response: '421 4.7.0 Busy', now: this.now });
  }
}

describe('slowdowns of destinations (RS-14)', () => {
  it('halve what a destination gets with each round that it pushes back, down to one', () => {
    const destination = new Destination();
    const rounds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const rows = destination.take();
      rounds.push(rows.length);
      destination.end(rows, 'pushback');
    }

    assert.deepEqual(rounds, [20, 10, 5, 2, 1]);
    assert.deepEqual(destination.changes, ['busy.test slowed']);
  });

  it('leave alone what pushes even one back: a second, then two, a minute at most', () => {
    const destination = new Destination({ connections: 1 });
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      destination.end(destination.take(), 'pushback');
      const [slowdown] = destination.scheduler.destinations.slowdowns.list();
      waits.push(((slowdown?.retryAt ?? 0) - destination.now) / 1000);
      assert.equal(destination.take().length, 0);
      destination.now = slowdown?.retryAt ?? 0;
    }

    assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('allow one more with each answer, until the limit is reached', () => {
    const destination = new Destination({ connections: 4 });
    destination.end(destination.take(), 'pushback');
    destination.end(destination.take(), 'pushback');
    const rounds: number[] = [];
    for (let round = 0; round < 4; round++) {
      const rows = destination.take();
      rounds.push(rows.length);
      destination.end(rows, 'answer');
    }

    assert.deepEqual(rounds, [1, 2, 4, 4]);
    assert.deepEqual(destination.changes, ['busy.test slowed', 'busy.test recovered']);
    assert.deepEqual(destination.scheduler.destinations.slowdowns.list(), []);
  });

  it('count the deliveries that were under way together as one round', () => {
    const destination = new Destination();
    const [first, ...others] = destination.take();
    destination.end([first ?? assert.fail()], 'pushback');
    destination.end(others.slice(0, 9), 'pushback');
    destination.end(others.slice(9), undefined);

    assert.equal(destination.take().length, 10);
  });

  it('hold for all domains of a site that pushes back, and for no other', () => {
    const domains = Array.from({ length: 8 }, (_, index) => `d${index}.test`);
    const destination = new Destination({ connections: 1 }, domains);
    for (const domain of domains.slice(0, 7)) destination.scheduler.destinations.setSite(domain, 'big');

    destination.end(destination.take(), 'pushback');
    destination.now += 1_000; // each domain has been left alone for its second
    const domainsTaken = destination.take().map(({ domain }) => domain);

    assert.equal(domainsTaken.length, 3 + 1);
    assert.ok(domainsTaken.includes('d7.test'));
  });

  it('do not hold for a site of which one domain alone pushes back', () => {
    const destination = new Destination({ connections: 1 }, ['dead.test', 'alive.test']);
    for (const domain of ['dead.test', 'alive.test'])
      destination.scheduler.destinations.setSite(domain, 'shared');
    for (let round = 0; round < 3; round++) {
      const rows = destination.take();
      destination.end(
        rows.filter(({ domain }) => domain === 'dead.test'),
        'pushback',
      );
      assert.deepEqual(
        destination.take().map(({ domain }) => domain),
        [],
      );
      destination.end(
        rows.filter(({ domain }) => domain === 'alive.test'),
        undefined,
      );
      destination.now += 60_000;
    }

    const slowed = destination.scheduler.destinations.slowdowns.list();
    assert.deepEqual(
      slowed.map(({ destination: name }) => name),
      ['dead.test'],
    );
  });

  it('end when an operator says so, and by themselves when nothing is heard for an hour', () => {
    const destination = new Destination({ connections: 1 });
    const { slowdowns } = destination.scheduler.destinations;
    destination.end(destination.take(), 'pushback');
    slowdowns.clear(({ destination: name }) => name === DOMAIN);
    destination.scheduler.reconsider();
    const again = destination.take();
    assert.equal(again.length, 1);

    destination.end(again, 'pushback');
    slowdowns.forgetOld(destination.now + 3_600_001);

    assert.deepEqual(slowdowns.list(), []);
  });

  it('last no longer when the clock is set back', () => {
    const destination = new Destination({ connections: 1 });
    destination.end(destination.take(), 'pushback');

    destination.now -= 3_600_000;

    assert.equal(destination.take().length, 1);
  });
});
