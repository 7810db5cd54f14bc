import assert from 'node:assert/strict';
import {
  type Control,
  type ControlledQueue,
  createControl,
  createControlledQueue,
  emptyControl,
} from '../../support/control.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { createQueueDatabase, emptyQueue, queueMessage, takeOne } from '../../support/queue.ts';

describe('slowdowns at the control port', () => {
  let database: TestDatabase;
  let queue: ControlledQueue;
  let control: Control;
  before(async () => {
    database = await createQueueDatabase('slowdowns');
  });
  after(() => database.drop());
  beforeEach(async () => {
    await emptyQueue(database);
    await emptyControl(database);
    queue = createControlledQueue(database);
    control = await createControl(() => queue);
    await queueMessage(database);
    await queueMessage(database);
    await queue.claims.start();
  });
  afterEach(async () => {
    await control.close();
    await queue.claims.close();
  });

  /** Its destination pushes back. */
  async function pushBack(): Promise<void> {
    const { queueId, sequence } = (await takeOne(queue.claims)) ?? assert.fail();
    const response = '421 4.7.0 Too busy';
    queue.claims.end([{ queueId, sequence, type: 'deferred', reaction: 'pushback', response }]);
  }

  const list = async () => (await control.call('GET', '/queue/slowdowns')).body;
  const isBlocked = () =>
    queue.claims.scheduler.destinations.blockedUntil('default', 'one.test', Date.now()) !== undefined;

  it('are listed with what the destination said, and when it is tried next', async () => {
    assert.deepEqual(await list(), []);

    await pushBack();

    const [{ zone, destination, connections, retryAt, response }, ...more] = await list();
    assert.deepEqual(
      [zone, destination, connections, response],
      ['default', 'one.test', 1, '421 4.7.0 Too busy'],
    );
    assert.ok(Date.parse(retryAt) > Date.now() - 1_000);
    assert.deepEqual(more, []);
  });

  it('excuse what waits for them from the diagnosis', async () => {
    const oldestDue = async () => (await control.call('GET', '/queue/diagnosis')).body.oldestDue;
    await queueMessage(database);
    await database.pool.query(
      "update deliveries set due_at = now() - interval '1 hour' where claim_id is null",
    );
    assert.equal((await oldestDue()).site, 'one.test');

    await pushBack();

    assert.equal(await oldestDue(), null);
  });

  it('end with a flush of their destination, and of no other', async () => {
    await pushBack();
    await control.call('POST', '/queue/flushes', { selector: { domain: 'one.test' }, dryRun: true });
    await control.call('POST', '/queue/flushes', { selector: { domain: 'two.test' } });
    assert.ok(isBlocked());

    await control.call('POST', '/queue/flushes', { selector: { recipient: 'A@One.Test' } });

    assert.equal(isBlocked(), false);
    assert.deepEqual(await list(), []);
  });
});
