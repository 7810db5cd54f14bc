import assert from 'node:assert/strict';
import { createLogger } from '../../../lib/log.ts';
import type { ClaimedRow } from '../../../mta/queue/claim-rows.ts';
import { Claims, claimKey } from '../../../mta/queue/claims.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, queueMessage } from '../../support/queue.ts';

const log = createLogger('test', { level: 'silent' });

describe('claims', () => {
  let database: TestDatabase;
  let claims: Claims;
  before(async () => {
    database = await createQueueDatabase('claims');
  });
  after(() => database.drop());
  beforeEach(async () => {
    await database.pool.query('truncate messages, deliveries');
    claims = new Claims({ pool: database.pool, instanceId: 'test', leaseSeconds: 30, log });
  });
  afterEach(() => claims.close());

  function take({ owner = 'sender-1', limit = 100 } = {}): Promise<ClaimedRow | undefined> {
    return new Promise((give) => claims.wait({ zone: 'default', owner, limitOf: () => limit, give }));
  }

  it('hands out a delivery with its envelope and counts the attempt', async () => {
    const message = await queueMessage(database);

    const row = await take();

    assert.equal(row?.queue_id, message.id);
    assert.equal(row?.attempts, 1);
    assert.deepEqual(JSON.parse(row?.envelope ?? ''), message.envelope);
    assert.equal(await countRows(database, 'deliveries', "claimed_by = 'test' and claimed_until > now()"), 1);
  });

  it('lets a sender wait and wakes it when mail comes', async () => {
    const taken = take();
    const message = await queueMessage(database);
    claims.wake('default');

    assert.equal((await taken)?.queue_id, message.id);
  });

  it('finds mail that becomes due by itself', async () => {
    const message = await queueMessage(database);
    await database.pool.query("update deliveries set due_at = now() + interval '0.5 s'");

    assert.equal((await take())?.queue_id, message.id);
  });

  it('gives no delivery to two senders', async () => {
    for (let i = 0; i < 20; i++) await queueMessage(database);
    const other = new Claims({ pool: database.pool, instanceId: 'other', leaseSeconds: 30, log });
    const fromOther = Array.from(
      { length: 10 },
      () =>
        new Promise<ClaimedRow | undefined>((give) =>
          other.wait({ zone: 'default', owner: 'x', limitOf: () => 100, give }),
        ),
    );

    const rows = await Promise.all([...Array.from({ length: 10 }, () => take()), ...fromOther]);
    other.close();

    assert.equal(new Set(rows.map((row) => row?.queue_id)).size, 20);
  });

  it('keeps to the limit of a destination and goes on the moment one ends', async () => {
    for (let i = 0; i < 4; i++) await queueMessage(database);
    const first = await take({ limit: 2 });
    await take({ limit: 2 });
    let third: ClaimedRow | undefined;
    const waiting = take({ limit: 2 }).then((row) => {
      third = row;
    });
    await settle();
    assert.equal(third, undefined);

    claims.release(claimKey(first ?? assert.fail()));
    await waiting;

    assert.ok(third);
  });

  it('serves another destination while a full one has any number waiting', async () => {
    for (let i = 0; i < 50; i++) await queueMessage(database, { to: [`r${i}@full.test`] });
    const other = await queueMessage(database, { to: ['r@other.test'] });
    await take({ limit: 1 });

    assert.equal((await take({ limit: 1 }))?.queue_id, other.id);
  });

  it('returns what a dead sender had, at once', async () => {
    const message = await queueMessage(database);
    await take({ owner: 'dying' });

    await claims.releaseOwner('dying');

    const row = await take({ owner: 'alive' });
    assert.equal(row?.queue_id, message.id);
    assert.equal(row?.attempts, 2);
  });

  it('gives nothing to a sender that died while it waited', async () => {
    let given = false;
    claims.wait({ zone: 'default', owner: 'dying', limitOf: () => 10, give: () => (given = true) });
    await claims.releaseOwner('dying');
    await queueMessage(database);
    claims.wake('default');
    await settle();

    assert.equal(given, false);
    assert.equal(await countRows(database, 'deliveries', 'claim_id is not null'), 0);
  });

  it('leaves out what is held or expired', async () => {
    await queueMessage(database);
    await database.pool.query("update deliveries set held_at = now(), held_reason = 'x'");
    await queueMessage(database, { lifetimeSeconds: -1 });
    const next = await queueMessage(database);

    assert.equal((await take())?.queue_id, next.id);
  });

  it('lets waiting senders go when it closes', async () => {
    const taken = take();
    claims.close();

    assert.equal(await taken, undefined);
  });
});

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 150));
}
