import assert from 'node:assert/strict';
import { operate } from '../../../mta/control/operate.ts';
import { end } from '../../../mta/control/verbs.ts';
import { readCounts } from '../../../mta/queue/counters.ts';
import { endDeliveries } from '../../../mta/queue/endings.ts';
import { createEvent } from '../../../mta/queue/events.ts';
import { storeMessages } from '../../../mta/queue/intake.ts';
import { expireDeliveries } from '../../../mta/queue/leases.ts';
import { createControlledQueue } from '../../support/control.ts';
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
    await cancelMessage(database, cancelled.identity.messageId);
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

async function cancelMessage(database: TestDatabase, message: number): Promise<void> {
  const queue = createControlledQueue(database);
  const action = { verb: 'cancel', selector: { message }, parameters: {}, reason: 'test', actor: 'test' };
  await operate(queue, end('cancelled', 'test', 'test'), { ...action, dryRun: false });
  await queue.claims.close();
}
