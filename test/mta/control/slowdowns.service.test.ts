import assert from 'node:assert/strict';
import { useControl } from '../../support/control.ts';
import { queueMessage, takeOne } from '../../support/queue.ts';

describe('slowdowns at the control port', () => {
  const mta = useControl('slowdowns');
  beforeEach(async () => {
    await queueMessage(mta.database);
    await queueMessage(mta.database);
    await mta.queue.claims.start();
  });

  /** Its destination pushes back. */
  async function pushBack(): Promise<void> {
    const { queueId, sequence } = (await takeOne(mta.queue.claims)) ?? assert.fail();
    const response = '421 4.7.0 Too busy';
    mta.queue.claims.end([{ queueId, sequence, type: 'deferred', reaction: 'pushback', response }]);
  }

  const list = async () => (await mta.control.call('GET', '/queue/slowdowns')).body;
  const isBlocked = () =>
    mta.queue.claims.scheduler.destinations.blockedUntil('default', 'one.test', Date.now()) !== undefined;

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
    const oldestDue = async () => (await mta.control.call('GET', '/queue/diagnosis')).body.oldestDue;
    await queueMessage(mta.database);
    await mta.database.pool.query(
      "update deliveries set due_at = now() - interval '1 hour' where claim_id is null",
    );
    assert.equal((await oldestDue()).site, 'one.test');

    await pushBack();

    assert.equal(await oldestDue(), null);
  });

  it('end with a flush of their destination, and of no other', async () => {
    await pushBack();
    await mta.control.call('POST', '/queue/flushes', { selector: { domain: 'one.test' }, dryRun: true });
    await mta.control.call('POST', '/queue/flushes', { selector: { domain: 'two.test' } });
    assert.ok(isBlocked());

    await mta.control.call('POST', '/queue/flushes', { selector: { recipient: 'A@One.Test' } });

    assert.equal(isBlocked(), false);
    assert.deepEqual(await list(), []);
  });
});
