import assert from 'node:assert/strict';
import { hasOverdueMail } from '../../../mta/queue/watch.ts';
import { type ControlledQueue, createControlledQueue } from '../../support/control.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { createQueueDatabase, emptyQueue, queueMessage, takeOne } from '../../support/queue.ts';

describe('overdue mail', () => {
  let database: TestDatabase;
  let queue: ControlledQueue;
  before(async () => {
    database = await createQueueDatabase('watch');
  });
  after(() => database.drop());
  beforeEach(async () => {
    await emptyQueue(database);
    queue = createControlledQueue(database);
  });
  afterEach(() => queue.claims.close());

  const isOverdue = () => hasOverdueMail(queue, 'default', Date.now());
  const age = () => database.pool.query("update deliveries set due_at = now() - interval '1 min'");

  it('is what is due for longer than a moment', async () => {
    await queueMessage(database);
    assert.equal(await isOverdue(), false);
    await age();
    assert.equal(await isOverdue(), true);
  });

  it('is nothing that is paused or held', async () => {
    await queueMessage(database);
    await queueMessage(database);
    await age();
    await database.pool.query(
      'update deliveries set paused_by = 1 where queue_id = (select min(queue_id) from deliveries)',
    );
    await database.pool.query(
      "update deliveries set held_at = now(), held_reason = 'x' where paused_by is null",
    );

    assert.equal(await isOverdue(), false);
  });

  it('is nothing that its destination has no room for', async () => {
    for (let i = 0; i < 50; i++) await queueMessage(database, { to: [`r${i}@one.test`] });
    await age();
    queue.limits.set('one.test', { connections: 1 });
    await queue.claims.start();
    await takeOne(queue.claims);

    assert.equal(await isOverdue(), false);
  });

  it('is also what waits in memory without a sender', async () => {
    await queueMessage(database);
    await queueMessage(database);
    await queue.claims.start();
    queue.limits.set('one.test', { connections: 1 });
    const row = (await takeOne(queue.claims)) ?? assert.fail();
    await queueMessage(database);
    assert.equal(await isOverdue(), false);

    queue.claims.end([{ ...row, type: 'delivered' }]);

    assert.equal(await isOverdue(), true);
  });
});
