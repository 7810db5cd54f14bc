import assert from 'node:assert/strict';
import { findDue, takeClaims } from '../../../mta/queue/claim-rows.ts';
import { deferDelivery, finishDelivery, holdDelivery } from '../../../mta/queue/endings.ts';
import { createEvent, type EventDetails } from '../../../mta/queue/events.ts';
import { Outbox } from '../../../mta/queue/outbox.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, queueMessage } from '../../support/queue.ts';

describe('endings of deliveries', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('endings');
  });
  after(() => database.drop());
  beforeEach(() => database.pool.query('truncate messages, deliveries, delivery_events'));

  async function claimAll() {
    const picked = await findDue(database.pool, { zone: 'default', skipDomains: [], limit: 100 });
    const rows = await takeClaims(database.pool, { instanceId: 'test', leaseSeconds: 30, picked });
    return rows
      .toSorted((a, b) => a.sequence.localeCompare(b.sequence))
      .map((row) => ({ queueId: row.queue_id, sequence: row.sequence, claimId: row.claim_id }));
  }

  function event(type: EventDetails['type'], response = '250 2.0.0 Ok') {
    const source = {
      messageId: 1,
      recipient: 'r@one.test',
      queueId: 'q',
      sequence: '001',
      instanceId: 'test',
      attempt: 1,
    };
    return createEvent(source, { type, response });
  }

  it('writes the event and removes the message with its last delivery', async () => {
    await queueMessage(database, { to: ['a@one.test', 'b@one.test'] });
    const [first, second] = await claimAll();

    assert.equal(await finishDelivery(database.pool, first ?? assert.fail(), event('delivered')), true);
    assert.equal(await countRows(database, 'messages'), 1);
    assert.equal(await finishDelivery(database.pool, second ?? assert.fail(), event('bounced')), true);

    assert.equal(await countRows(database, 'messages'), 0);
    const events = await new Outbox(database.pool).readEvents(10);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['delivered', 'bounced'],
    );
  });

  it('leaves no message behind when its deliveries end at the same moment', async () => {
    await queueMessage(database, { to: Array.from({ length: 8 }, (_, i) => `r${i}@one.test`) });
    const keys = await claimAll();

    await Promise.all(keys.map((key) => finishDelivery(database.pool, key, event('delivered'))));

    assert.equal(await countRows(database, 'messages'), 0);
    assert.equal(await countRows(database, 'delivery_events'), 8);
  });

  it('ends a delivery once', async () => {
    await queueMessage(database);
    const [key] = await claimAll();
    await finishDelivery(database.pool, key ?? assert.fail(), event('delivered'));

    assert.equal(await finishDelivery(database.pool, key ?? assert.fail(), event('delivered')), false);

    assert.equal(await countRows(database, 'delivery_events'), 1);
  });

  it('makes a deferred delivery due again, with its reply', async () => {
    await queueMessage(database);
    const [key] = await claimAll();
    const dueAt = new Date(Date.now() + 60_000);

    await deferDelivery(database.pool, key ?? assert.fail(), event('deferred', '451 4.7.1 Later'), dueAt);

    const { rows } = await database.pool.query(
      'select due_at, deferrals, last_response, claim_id from deliveries',
    );
    assert.deepEqual(rows, [
      { due_at: dueAt, deferrals: 1, last_response: '451 4.7.1 Later', claim_id: null },
    ]);
  });

  it('does not let an old claim defer, bounce or hold what somebody else attempts now', async () => {
    await queueMessage(database);
    const [old] = await claimAll();
    await database.pool.query(
      'update deliveries set claim_id = null, claimed_by = null, claimed_until = null',
    );
    await claimAll();
    const key = old ?? assert.fail();

    assert.equal(await deferDelivery(database.pool, key, event('deferred'), new Date()), false);
    assert.equal(await finishDelivery(database.pool, key, event('bounced')), false);
    assert.equal(await holdDelivery(database.pool, key, event('held'), 'x'), false);

    assert.equal(await countRows(database, 'deliveries', 'claim_id is not null'), 1);
    assert.equal(await countRows(database, 'delivery_events'), 0);
  });

  it('believes an old claim that the remote has taken the mail', async () => {
    await queueMessage(database);
    const [old] = await claimAll();
    await database.pool.query(
      'update deliveries set claim_id = null, claimed_by = null, claimed_until = null',
    );
    await claimAll();

    assert.equal(await finishDelivery(database.pool, old ?? assert.fail(), event('delivered')), true);
    assert.equal(await countRows(database, 'deliveries'), 0);
  });
});
