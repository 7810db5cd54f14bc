import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Pool } from 'pg';
import { readIncomingBody } from '../../../mta/queue/bodies.ts';
import { createPool, inTransaction, isTransient } from '../../../mta/queue/database.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { createQueueDatabase } from '../../support/queue.ts';

describe('pool of the queue', () => {
  let database: TestDatabase;
  let pool: ReturnType<typeof createPool>;
  before(async () => {
    database = await createQueueDatabase('pool');
    pool = createPool({ url: database.url, maxConnections: 1, applicationName: 'pool-test' });
  });
  after(async () => {
    await pool.end();
    await database.drop();
  });

  const cut = () =>
    database.pool.query(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'pool-test'",
    );

  it('RS-8: a connection that is lost between two statements of a transaction fails the second one, and no more', async () => {
    const work = inTransaction(pool, async (client) => {
      const lost = new Promise((resolve) => client.once('end', resolve));
      await cut();
      await lost;
      await client.query('select 1');
    });

    await assert.rejects(work, (error) => isTransient(error));
    assert.equal((await pool.query('select 1 as one')).rows[0].one, 1);
  });

  it('RS-8: a connection that is lost while a long message comes in refuses the message, and no more', async () => {
    const stream = Readable.from(
      (async function* () {
        yield randomBytes(2_000_000);
        await cut();
        yield randomBytes(2_000_000);
      })(),
    );

    await assert.rejects(readIncomingBody(pool, 'cut', stream), (error) => isTransient(error));
    assert.equal((await pool.query('select count(*)::int as chunks from message_chunks')).rows[0].chunks, 0);
  });

  it('RS-8: a connection that is lost before a long message can be begun is given back', async () => {
    const lost = new Error('Connection terminated unexpectedly');
    const released: (boolean | Error | undefined)[] = [];
    const broken = {
      connect: async () => ({
        query: async () => Promise.reject(lost),
        release: (destroy?: boolean | Error) => void released.push(destroy),
      }),
    };
    const stream = Readable.from([randomBytes(2_000_000)]);

    await assert.rejects(readIncomingBody(broken as unknown as Pool, 'begin', stream), lost);
    assert.deepEqual(released, [true]);
  });

  it('RS-8: a connection that is lost while it is idle is replaced', async () => {
    await pool.query('select 1');
    const lost = new Promise((resolve) => pool.once('remove', resolve));
    await cut();
    await lost;

    assert.equal((await pool.query('select 1 as one')).rows[0].one, 1);
  });
});
