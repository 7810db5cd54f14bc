import assert from 'node:assert/strict';
import { inTransaction } from '../../../mta/queue/database.ts';
import { createEvent, insertEvents } from '../../../mta/queue/events.ts';
import { Outbox } from '../../../mta/queue/outbox.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, emptyQueue } from '../../support/queue.ts';

describe('outbox', () => {
  let database: TestDatabase;
  let outbox: Outbox;
  before(async () => {
    database = await createQueueDatabase('outbox');
  });
  after(() => database.drop());
  beforeEach(async () => {
    await emptyQueue(database);
    outbox = new Outbox(database.pool);
    const source = { recipient: 'r@one.test', queueId: 'q', sequence: '001', instanceId: 'test', attempt: 1 };
    const events = [1, 2, 3].map((messageId) => createEvent({ ...source, messageId }, { type: 'delivered' }));
    await inTransaction(database.pool, (client) => insertEvents(client, events));
  });

  it('gives the oldest first, again and again until they are removed', async () => {
    const [first] = await outbox.readEvents(1);
    assert.equal(first?.messageId, 1);
    await outbox.readEvents(2);

    await outbox.removeEvents([first?.id ?? '']);

    assert.deepEqual(
      (await outbox.readEvents(10)).map(({ messageId }) => messageId),
      [2, 3],
    );
  });

  it('keeps a parked event aside, with its reason', async () => {
    const [first] = await outbox.readEvents(10);
    await outbox.parkEvent(first?.id ?? '', 'refused');

    assert.deepEqual(
      (await outbox.readEvents(10)).map(({ messageId }) => messageId),
      [2, 3],
    );
    assert.equal(await countRows(database, 'delivery_events', "parked_reason = 'refused'"), 1);
  });

  it('gives nothing once the queue stops', async () => {
    outbox.close();

    assert.deepEqual(await outbox.readEvents(10), []);
    assert.equal(await countRows(database, 'delivery_events'), 3);
  });
});
