import assert from 'node:assert/strict';
import { readCounts } from '../../../mta/queue/counters.ts';
import { endDeliveries } from '../../../mta/queue/endings.ts';
import { createEvent } from '../../../mta/queue/events.ts';
import { removeDeliveries } from '../../../mta/queue/inspection.ts';
import { storeMessages } from '../../../mta/queue/intake.ts';
import { expireDeliveries } from '../../../mta/queue/leases.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { claimAll, createQueueDatabase, newMessage, queueMessage } from '../../support/queue.ts';

describe('counters of the queue', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('counters');
  });
  after(() => database.drop());

  it('add up, whichever way a delivery ends', async () => {
    const delivered = await queueMessage(database, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    await storeMessages(database.pool, [{ ...delivered, id: 'twice' }]); // known: counts nothing
    const rows = await claimAll(database);
    const types = ['delivered', 'bounced', 'suppressed'] as const;
    const endings = rows.map((row, index) => {
      const source = { messageId: 1, recipient: row.recipient, queueId: row.queueId, sequence: row.sequence };
      const event = createEvent(
        { ...source, instanceId: 'test', attempt: 1 },
        { type: types[index] ?? 'delivered' },
      );
      return { kind: 'finish' as const, ...row, event, recipients: 3 };
    });
    await endDeliveries(database.pool, endings);
    await endDeliveries(database.pool, endings); // had ended before: counts nothing
    const cancelled = await queueMessage(database);
    await removeDeliveries(database.pool, { id: cancelled.id, seq: undefined, instanceId: 'test' });
    await queueMessage(database, { lifetimeSeconds: -1 });
    await expireDeliveries(database.pool, 'test');
    await Promise.all(Array.from({ length: 20 }, () => storeMessages(database.pool, [newMessage()])));

    const counts = await readCounts(database.pool);

    assert.deepEqual(counts, {
      ...{ accepted: 25, delivered: 1, bounced: 1, suppressed: 1, cancelled: 1, expired: 1 },
      ...{ queued: 20, held: 0, drift: 0 },
    });
  });

  it('show a delivery that was taken out by other means', async () => {
    await database.pool.query(
      'delete from deliveries where queue_id = (select min(queue_id) from deliveries)',
    );

    assert.equal((await readCounts(database.pool)).drift, 1);
  });
});
