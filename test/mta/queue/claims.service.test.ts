import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claims } from '../../../mta/queue/claims.ts';
import { storeMessages } from '../../../mta/queue/intake.ts';
import type { ClaimedRow } from '../../../mta/queue/rows.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import {
  countRows,
  createClaims,
  createQueueDatabase,
  emptyQueue,
  newMessage,
  queueMessage,
  takeOne,
} from '../../support/queue.ts';

describe('claims', () => {
  let database: TestDatabase;
  let claims: Claims;
  before(async () => {
    database = await createQueueDatabase('claims');
  });
  after(() => database.drop());
  beforeEach(async () => {
    await emptyQueue(database);
    claims = createClaims(database);
  });
  afterEach(() => claims.close());

  const end = (row: ClaimedRow | undefined, changes = {}) =>
    claims.end([{ ...(row ?? assert.fail()), type: 'delivered', ...changes }]);

  it('hands out what it finds at its start, under a lease, and counts the attempt', async () => {
    const message = await queueMessage(database);
    await claims.start();

    const row = await takeOne(claims);

    assert.deepEqual([row?.queueId, row?.attempts], [message.id, 1]);
    assert.equal(await countRows(database, 'deliveries', "claimed_by = 'test' and claimed_until > now()"), 1);
  });

  it('lets a sender wait and wakes it when mail is announced', async () => {
    await claims.start();
    const taken = takeOne(claims);
    const message = await queueMessage(database);
    claims.noteDue([{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 }]);

    assert.equal((await taken)?.queueId, message.id);
  });

  it('hands out fresh rows from memory', async () => {
    await claims.start();
    const taken = takeOne(claims);
    const message = newMessage({ claim: { instanceId: 'test', leaseSeconds: 30 } });
    const [outcome] = await storeMessages(database.pool, [message]);
    claims.addFresh(outcome?.outcome === 'queued' ? outcome.claimed : []);

    assert.equal((await taken)?.queueId, message.id);
  });

  it('finds mail that becomes due by itself', async () => {
    const message = await queueMessage(database);
    await database.pool.query("update deliveries set due_at = now() + interval '0.3 s'");
    await claims.start();

    assert.equal((await takeOne(claims))?.queueId, message.id);
  });

  it('finds one deferred row after the other in a flow', async () => {
    for (let i = 0; i < 3; i++) await queueMessage(database);
    await database.pool.query(
      `update deliveries d set due_at = now() + n * interval '0.2 s'
         from (select queue_id, row_number() over () as n from deliveries) r where r.queue_id = d.queue_id`,
    );
    await claims.start();

    const rows = [await takeOne(claims), await takeOne(claims), await takeOne(claims)];

    assert.equal(new Set(rows.map((row) => row?.queueId)).size, 3);
  });

  it('hands a deferred delivery out again when it is due', async () => {
    const message = await queueMessage(database);
    await claims.start();
    const row = await takeOne(claims);
    await database.pool.query(
      `update deliveries set claim_id = null, claimed_by = null, claimed_until = null, deferrals = 1,
              due_at = now() + interval '0.3 s'`,
    );
    end(row, { type: 'deferred', dueAt: Date.now() + 300 });

    const again = await takeOne(claims);

    assert.deepEqual([again?.queueId, again?.attempts, again?.deferrals], [message.id, 2, 1]);
  });

  it('gives no delivery to two senders, nor to two instances', async () => {
    for (let i = 0; i < 60; i++) await queueMessage(database);
    const other = createClaims(database, { instanceId: 'other' });
    await Promise.all([claims.start(), other.start()]);

    const rows = await Promise.all(Array.from({ length: 30 }, (_, i) => takeOne(i % 2 ? claims : other)));
    await other.close();

    assert.equal(new Set(rows.map((row) => row?.queueId)).size, 30);
  });

  it('keeps to the limit of a destination and goes on the moment one ends', async () => {
    const limited = createClaims(database, { limitOf: () => ({ connections: 2 }) });
    for (let i = 0; i < 4; i++) await queueMessage(database);
    await limited.start();
    const first = await takeOne(limited);
    await takeOne(limited);
    let third: ClaimedRow | undefined;
    const waiting = takeOne(limited).then((row) => {
      third = row;
    });
    await sleep(250);
    assert.equal(third, undefined);

    limited.end([{ ...(first ?? assert.fail()), type: 'delivered' }]);
    await waiting;

    assert.ok(third);
    await limited.close();
  });

  it('serves another destination while a full one has any number waiting', async () => {
    const limited = createClaims(database, { limitOf: () => ({ connections: 1 }) });
    for (let i = 0; i < 100; i++) await queueMessage(database, { to: [`r${i}@full.test`] });
    await queueMessage(database, { to: ['r@other.test'] });
    await limited.start();

    const rows = [await takeOne(limited), await takeOne(limited)];

    assert.deepEqual(rows.map((row) => row?.domain).toSorted(), ['full.test', 'other.test']);
    await limited.close();
  });

  it('returns what a dead sender had, at once', async () => {
    const message = await queueMessage(database);
    await claims.start();
    await takeOne(claims, 'dying');

    await claims.releaseOwner('dying');

    const row = await takeOne(claims, 'alive');
    assert.deepEqual([row?.queueId, row?.attempts], [message.id, 2]);
  });

  it('gives nothing to a sender that died while it waited', async () => {
    await claims.start();
    let isGiven = false;
    claims.wait({
      zone: 'default',
      owner: 'dying',
      count: 1,
      give: () => {
        isGiven = true;
      },
    });
    await claims.releaseOwner('dying');
    await queueMessage(database);
    claims.noteDue([{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 }]);
    await sleep(250);

    assert.equal(isGiven, false);
    assert.equal(claims.activeCount, 0);
  });

  it('leaves out what is held or expired', async () => {
    await queueMessage(database);
    await database.pool.query("update deliveries set held_at = now(), held_reason = 'x'");
    await queueMessage(database, { lifetimeSeconds: -1 });
    const next = await queueMessage(database);
    await claims.start();

    assert.equal((await takeOne(claims))?.queueId, next.id);
  });

  it('lets waiting senders go when it closes, and hands back what waits in memory with its attempt uncounted', async () => {
    for (let i = 0; i < 3; i++) await queueMessage(database);
    await claims.start();
    await takeOne(claims);
    const waiting = [takeOne(claims, 'b'), takeOne(claims, 'c'), takeOne(claims, 'd')];
    await Promise.race(waiting);

    await claims.close();

    assert.equal((await Promise.all(waiting)).filter((row) => row === undefined).length, 1);
    await queueMessage(database);
    const unread = createClaims(database);
    await unread.start();
    await sleep(150); // claims ahead, nobody asks
    await unread.close();
    assert.equal(await countRows(database, 'deliveries', 'claim_id is null and attempts = 0'), 1);
  });
});
