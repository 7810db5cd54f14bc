import assert from 'node:assert/strict';
import { storeMessage } from '../../../mta/queue/intake.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, newMessage } from '../../support/queue.ts';

describe('intake of the queue', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('intake');
  });
  after(() => database.drop());

  it('writes body, envelope and one delivery a recipient', async () => {
    const message = newMessage({ to: ['a@One.test', 'b@two.test'] });

    assert.equal(await storeMessage(database.pool, message), 'queued');

    const { rows } = await database.pool.query(
      'select sequence, recipient, domain from deliveries where queue_id = $1 order by sequence',
      [message.id],
    );
    assert.deepEqual(rows, [
      { sequence: '001', recipient: 'a@One.test', domain: 'one.test' },
      { sequence: '002', recipient: 'b@two.test', domain: 'two.test' },
    ]);
  });

  it('queues the same message once, also when two hand it over at the same moment', async () => {
    const message = newMessage();
    const again = { ...message, id: `${message.id}-again` };

    const outcomes = await Promise.all([
      storeMessage(database.pool, message),
      storeMessage(database.pool, again),
    ]);

    assert.deepEqual(outcomes.toSorted(), ['known', 'queued']);
    assert.equal(await countRows(database, 'messages', `message_id = ${message.identity.messageId}`), 1);
  });

  it('remembers a message that has left the queue', async () => {
    const message = newMessage();
    await storeMessage(database.pool, message);
    await database.pool.query('delete from deliveries where queue_id = $1', [message.id]);
    await database.pool.query('delete from messages where id = $1', [message.id]);

    assert.equal(await storeMessage(database.pool, { ...message, id: 'later' }), 'known');
  });

  it('writes nothing when a part fails', async () => {
    const message = newMessage({ to: ['a@one.test', null as unknown as string] });

    await assert.rejects(async () => storeMessage(database.pool, message));

    assert.equal(await countRows(database, 'intakes', `message_id = ${message.identity.messageId}`), 0);
    assert.equal(await countRows(database, 'messages', `id = '${message.id}'`), 0);
  });

  it('keeps any byte of body and headers', async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const message = newMessage({ body });
    message.envelope.headers = [{ key: 'x', line: 'X: \u0000\u00ff' }];
    await storeMessage(database.pool, message);

    const { rows } = await database.pool.query('select body, envelope from messages where id = $1', [
      message.id,
    ]);

    assert.deepEqual(rows[0].body, body);
    assert.deepEqual(JSON.parse(rows[0].envelope), message.envelope);
  });

  it('delays what is to be delivered later', async () => {
    const message = newMessage();
    message.envelope.deferDelivery = Date.now() + 60_000;
    await storeMessage(database.pool, message);

    assert.equal(
      await countRows(
        database,
        'deliveries',
        `queue_id = '${message.id}' and due_at > now() + interval '50s'`,
      ),
      1,
    );
  });
});
