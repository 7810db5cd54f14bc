import assert from 'node:assert/strict';
import { type IntakeOutcome, type NewMessage, storeEach, storeMessages } from '../../../mta/queue/intake.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, newMessage } from '../../support/queue.ts';

describe('intake of the queue', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('intake');
  });
  after(() => database.drop());

  async function store(message: NewMessage): Promise<IntakeOutcome> {
    const [outcome] = await storeMessages(database.pool, [message]);
    return outcome ?? assert.fail();
  }

  it('writes body, envelope and one delivery a recipient', async () => {
    const message = newMessage({ to: ['a@One.test', 'b@two.test'], organizationId: 7, priority: 2 });

    assert.deepEqual(await store(message), { outcome: 'queued', claimed: [] });

    const { rows } = await database.pool.query(
      `select sequence, recipient, domain, organization_id, priority, attempts
         from deliveries where queue_id = $1 order by sequence`,
      [message.id],
    );
    const common = { organization_id: '7', priority: 2, attempts: 0 };
    assert.deepEqual(rows, [
      { sequence: '001', recipient: 'a@One.test', domain: 'one.test', ...common },
      { sequence: '002', recipient: 'b@two.test', domain: 'two.test', ...common },
    ]);
  });

  it('writes a group in one statement, each with its own outcome', async () => {
    const known = newMessage();
    await store(known);
    const [first, second] = [newMessage(), newMessage()];

    const outcomes = await storeMessages(database.pool, [first, { ...known, id: 'again' }, second]);

    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ['queued', 'known', 'queued'],
    );
  });

  it('queues the same message once, also when two hand it over at the same moment', async () => {
    const message = newMessage();
    const again = { ...message, id: `${message.id}-again` };
    const inOneGroup = newMessage();

    const outcomes = (await Promise.all([store(message), store(again)])).map(({ outcome }) => outcome);
    const grouped = await storeMessages(database.pool, [
      inOneGroup,
      { ...inOneGroup, id: `${inOneGroup.id}-again` },
    ]);

    assert.deepEqual(outcomes.toSorted(), ['known', 'queued']);
    assert.deepEqual(grouped.map(({ outcome }) => outcome).toSorted(), ['known', 'queued']);
    assert.equal(await countRows(database, 'messages', `message_id = ${message.identity.messageId}`), 1);
  });

  it('remembers a message that has left the queue', async () => {
    const message = newMessage();
    await store(message);
    await database.pool.query('delete from deliveries where queue_id = $1', [message.id]);
    await database.pool.query('delete from messages where id = $1', [message.id]);

    assert.deepEqual(await store({ ...message, id: 'later' }), { outcome: 'known' });
  });

  it('gives fresh rows claimed when asked to', async () => {
    const message = newMessage({ claim: { instanceId: 'test', leaseSeconds: 30 } });

    const outcome = await store(message);

    assert.ok(outcome.outcome === 'queued');
    const [row] = outcome.claimed;
    assert.deepEqual(
      [row?.queueId, row?.sequence, row?.attempts, row?.domain],
      [message.id, '001', 1, 'one.test'],
    );
    const where = `claim_id = ${row?.claimId} and claimed_by = 'test' and claimed_until > now() and attempts = 1`;
    assert.equal(await countRows(database, 'deliveries', where), 1);
  });

  it('lets one bad message of a group fail alone, and writes nothing of it', async () => {
    const bad = newMessage({ to: ['a@one.test', 'b\u0000@one.test'] });
    const good = newMessage();

    const [first, second] = await storeEach(database.pool, [bad, good]);

    assert.ok(first instanceof Error);
    assert.ok(!(second instanceof Error) && second?.outcome === 'queued');
    assert.equal(await countRows(database, 'intakes', `message_id = ${bad.identity.messageId}`), 0);
    assert.equal(await countRows(database, 'messages', `id = '${bad.id}'`), 0);
  });

  it('keeps any byte of body and headers', async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const message = newMessage({ body });
    message.envelope.headers = [{ key: 'x', line: 'X: \u0000\u00ff' }];
    await store(message);

    const { rows } = await database.pool.query('select body, envelope from messages where id = $1', [
      message.id,
    ]);

    assert.deepEqual(rows[0].body, body);
    assert.deepEqual(JSON.parse(rows[0].envelope), message.envelope);
  });

  it('delays what is to be delivered later', async () => {
    const message = newMessage();
    message.envelope.deferDelivery = Date.now() + 60_000;
    await store(message);

    const where = `queue_id = '${message.id}' and due_at > now() + interval '50s'`;
    assert.equal(await countRows(database, 'deliveries', where), 1);
  });
});
