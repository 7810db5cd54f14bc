import assert from 'node:assert/strict';
import {
  expireDeliveries,
  renewLeases,
  returnExpiredLeases,
  returnLeasesOf,
} from '../../../mta/queue/leases.ts';
import { Outbox } from '../../../mta/queue/outbox.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { claimAll, countRows, createQueueDatabase, emptyQueue, queueMessage } from '../../support/queue.ts';

describe('leases', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('leases');
  });
  after(() => database.drop());
  beforeEach(() => emptyQueue(database));

  const claim = async (instanceId: string, leaseSeconds: number) =>
    (await claimAll(database, { instanceId, leaseSeconds })).map((row) => row.claimId);

  it('returns a lease that nobody renewed, of any instance, and names its flow', async () => {
    await queueMessage(database);
    await claim('dead', -1);

    const flows = await returnExpiredLeases(database.pool, []);

    assert.deepEqual(flows, [{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 }]);
    assert.equal(await countRows(database, 'deliveries', 'claim_id is null'), 1);
  });

  it('leaves a lease that was renewed, or that is alive in this process', async () => {
    await queueMessage(database);
    const renewed = await claim('a', -1);
    await renewLeases(database.pool, renewed, 30);
    await queueMessage(database);
    const alive = await claim('a', -1);

    assert.deepEqual(await returnExpiredLeases(database.pool, alive), []);
  });

  it('returns at the start what an earlier master of the instance had', async () => {
    await queueMessage(database);
    await claim('a', 30);
    await queueMessage(database);
    await claim('b', 30);

    assert.equal(await returnLeasesOf(database.pool, 'a'), 1);
    assert.equal(await countRows(database, 'deliveries', "claimed_by = 'b'"), 1);
  });

  it('ends what has expired with an event that carries the last reply', async () => {
    await queueMessage(database, { lifetimeSeconds: -1 });
    await database.pool.query("update deliveries set last_response = '451 4.7.1 Later', attempts = 3");
    await queueMessage(database);

    assert.equal(await expireDeliveries(database.pool, 'test'), 1);

    const [event] = await new Outbox(database.pool).readEvents(10);
    assert.deepEqual(
      [event?.type, event?.response, event?.attempt, event?.enhanced],
      ['expired', '451 4.7.1 Later', 3, '4.7.1'],
    );
    assert.equal(await countRows(database, 'messages'), 1);
  });

  it('ends what is held or paused when its time has come, with an event like any other', async () => {
    await queueMessage(database, { lifetimeSeconds: -1 });
    await database.pool.query("update deliveries set held_at = now(), held_reason = 'x'");
    await queueMessage(database, { lifetimeSeconds: -1 });
    await database.pool.query('update deliveries set paused_by = 1 where held_at is null');

    assert.equal(await expireDeliveries(database.pool, 'test'), 2);

    const events = await new Outbox(database.pool).readEvents(10);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['expired', 'expired'],
    );
    assert.equal(await countRows(database, 'messages'), 0);
  });

  it('does not expire what is attempted at this moment', async () => {
    await queueMessage(database);
    await claim('a', 30);
    await database.pool.query("update deliveries set expires_at = now() - interval '1 s'");

    assert.equal(await expireDeliveries(database.pool, 'test'), 0);
  });
});
