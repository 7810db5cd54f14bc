import assert from 'node:assert/strict';
import { type Defer, type Ending, endDeliveries } from '../../../mta/queue/endings.ts';
import { createEvent, type EventDetails } from '../../../mta/queue/events.ts';
import { Outbox } from '../../../mta/queue/outbox.ts';
import type { ClaimedRow } from '../../../mta/queue/rows.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { claimAll, countRows, createQueueDatabase, emptyQueue, queueMessage } from '../../support/queue.ts';

describe('endings of deliveries', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('endings');
  });
  after(() => database.drop());
  beforeEach(() => emptyQueue(database));

  const forget = () =>
    database.pool.query('update deliveries set claim_id = null, claimed_by = null, claimed_until = null');

  function key(row: ClaimedRow | undefined, type: EventDetails['type'], response = '250 2.0.0 Ok') {
    const { queueId, sequence, claimId, recipient } = row ?? assert.fail();
    const source = { messageId: 1, recipient, queueId, sequence, instanceId: 'test', attempt: 1 };
    return { queueId, sequence, claimId, event: createEvent(source, { type, response }) };
  }

  const finish = (row: ClaimedRow | undefined, type: EventDetails['type'], recipients = 1): Ending => ({
    kind: 'finish',
    ...key(row, type),
    recipients,
  });
  const defer = (row: ClaimedRow | undefined, dueAt: Date): Defer => ({
    kind: 'defer',
    ...key(row, 'deferred', '451 4.7.1 Later'),
    dueAt,
  });

  it('writes the event and removes the message, all in one group', async () => {
    for (let i = 0; i < 3; i++) await queueMessage(database);
    const rows = await claimAll(database);

    const ended = await endDeliveries(
      database.pool,
      rows.map((row) => finish(row, 'delivered')),
    );

    assert.deepEqual(ended, [true, true, true]);
    assert.equal(await countRows(database, 'messages'), 0);
    assert.equal(await countRows(database, 'delivery_events'), 3);
  });

  it('keeps a message until its last delivery has ended', async () => {
    await queueMessage(database, { to: ['a@one.test', 'b@one.test'] });
    const [first, second] = await claimAll(database);

    await endDeliveries(database.pool, [finish(first, 'delivered', 2)]);
    assert.equal(await countRows(database, 'messages'), 1);
    await endDeliveries(database.pool, [finish(second, 'bounced', 2)]);

    assert.equal(await countRows(database, 'messages'), 0);
    const events = await new Outbox(database.pool).readEvents(10);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['delivered', 'bounced'],
    );
  });

  it('leaves no message behind when its deliveries end at the same moment', async () => {
    await queueMessage(database, { to: Array.from({ length: 8 }, (_, i) => `r${i}@one.test`) });
    const rows = await claimAll(database);

    await Promise.all(rows.map((row) => endDeliveries(database.pool, [finish(row, 'delivered', 8)])));

    assert.equal(await countRows(database, 'messages'), 0);
    assert.equal(await countRows(database, 'delivery_events'), 8);
  });

  it('removes the chunks of a long body with its message', async () => {
    const message = await queueMessage(database, { body: Buffer.alloc(0), chunks: 1 });
    await database.pool.query("insert into message_chunks values ($1, 0, 'x')", [message.id]);
    const [row] = await claimAll(database);

    await endDeliveries(database.pool, [finish(row, 'delivered')]);

    assert.equal(await countRows(database, 'message_chunks'), 0);
  });

  it('ends a delivery once', async () => {
    await queueMessage(database);
    const [row] = await claimAll(database);
    await endDeliveries(database.pool, [finish(row, 'delivered')]);

    assert.deepEqual(await endDeliveries(database.pool, [finish(row, 'delivered')]), [false]);
    assert.equal(await countRows(database, 'delivery_events'), 1);
  });

  it('makes a deferred delivery due again, with its reply', async () => {
    await queueMessage(database);
    const [row] = await claimAll(database);
    const dueAt = new Date(Date.now() + 60_000);

    assert.deepEqual(await endDeliveries(database.pool, [defer(row, dueAt)]), [true]);

    const { rows } = await database.pool.query(
      'select due_at, deferrals, last_response, claim_id from deliveries',
    );
    assert.deepEqual(rows, [
      { due_at: dueAt, deferrals: 1, last_response: '451 4.7.1 Later', claim_id: null },
    ]);
  });

  it('remembers which address greylisting knows a delivery by', async () => {
    await queueMessage(database);
    for (const pinnedAddress of ['192.0.2.1', undefined]) {
      const [row] = await claimAll(database);
      await endDeliveries(database.pool, [{ ...defer(row, new Date()), pinnedAddress }]);
    }

    const [again] = await claimAll(database);
    assert.equal(again?.pinnedAddress, '192.0.2.1');
  });

  it('sets a delivery aside with a reason', async () => {
    await queueMessage(database);
    const [row] = await claimAll(database);

    await endDeliveries(database.pool, [{ kind: 'hold', ...key(row, 'held', 'torn'), reason: 'torn' }]);

    assert.equal(await countRows(database, 'deliveries', "held_reason = 'torn' and claim_id is null"), 1);
    const [event] = await new Outbox(database.pool).readEvents(10);
    assert.equal(event?.type, 'held');
  });

  it('does not let an old claim defer, bounce or hold what somebody else attempts now', async () => {
    for (let i = 0; i < 3; i++) await queueMessage(database);
    const [first, second, third] = await claimAll(database);
    await forget();
    await claimAll(database);

    const ended = await endDeliveries(database.pool, [
      defer(first, new Date()),
      finish(second, 'bounced'),
      { kind: 'hold', ...key(third, 'held'), reason: 'x' },
    ]);

    assert.deepEqual(ended, [false, false, false]);
    assert.equal(await countRows(database, 'deliveries', 'claim_id is not null'), 3);
    assert.equal(await countRows(database, 'delivery_events'), 0);
  });

  it('believes an old claim that the remote has taken the mail', async () => {
    await queueMessage(database);
    const [old] = await claimAll(database);
    await forget();
    await claimAll(database);

    assert.deepEqual(await endDeliveries(database.pool, [finish(old, 'delivered')]), [true]);
    assert.equal(await countRows(database, 'deliveries'), 0);
  });
});
