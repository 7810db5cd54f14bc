import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createLogger } from '../../../lib/log.ts';
import { bodyInMemory, readIncomingBody, storedBody } from '../../../mta/queue/bodies.ts';
import { storeMessages } from '../../../mta/queue/intake.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, newMessage } from '../../support/queue.ts';

const log = createLogger('test', { level: 'silent' });
const piecesOf = (bytes: Buffer) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, i) =>
      bytes.subarray(i * 65_536, (i + 1) * 65_536),
    ),
  );

describe('bodies', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('bodies');
  });
  after(() => database.drop());

  it('a short one stays in memory', async () => {
    const bytes = randomBytes(1_048_576);

    const body = await readIncomingBody(database.pool, 'q', piecesOf(bytes));

    assert.ok(body.kind === 'short' && body.bytes.equals(bytes));
    assert.equal(database.pool.idleCount, database.pool.totalCount);
  });

  it('a long one is written in chunks, committed with its message, and comes back as it was', async () => {
    const bytes = randomBytes(3_333_333);
    const message = newMessage({ body: Buffer.alloc(0) });

    const body = await readIncomingBody(database.pool, message.id, piecesOf(bytes));
    assert.ok(body.kind === 'long' && body.chunks > 10);
    assert.equal(await countRows(database, 'message_chunks', `queue_id = '${message.id}'`), 0); // not yet committed
    await storeMessages(body.client, [{ ...message, chunks: body.chunks }]);
    await body.client.query('commit');
    body.client.release();

    assert.ok((await buffer(storedBody(database.pool, message.id, log))).equals(bytes));
  });

  it('of a long one whose sender breaks off nothing is left', async () => {
    const stream = Readable.from(
      (async function* () {
        yield randomBytes(2_000_000);
        throw new Error('gone');
      })(),
    );

    await assert.rejects(readIncomingBody(database.pool, 'broken', stream), /gone/);

    assert.equal(await countRows(database, 'message_chunks', "queue_id = 'broken'"), 0);
  });

  it('a missing one, or one with a missing chunk, is an error and not an empty message', async () => {
    const message = newMessage({ body: Buffer.alloc(0), chunks: 2 });
    await storeMessages(database.pool, [message]);
    await database.pool.query("insert into message_chunks values ($1, 0, 'x')", [message.id]);

    await assert.rejects(buffer(storedBody(database.pool, 'nowhere', log)), /not complete/);
    await assert.rejects(buffer(storedBody(database.pool, message.id, log)), /not complete/);
  });

  it('an empty one is empty', async () => {
    assert.equal((await buffer(bodyInMemory(Buffer.alloc(0)))).length, 0);
  });
});
