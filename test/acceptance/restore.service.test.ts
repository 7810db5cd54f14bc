/** Everything is lost but the backup and the master key: what was accepted is delivered all the same. */
import assert from 'node:assert/strict';
import pg from 'pg';
import { createPool, inTransaction, type Store } from '../../api/database.ts';
import { createProducer } from '../../api/jobs/producer.ts';
import { startWorker } from '../../api/jobs/runner.ts';
import { migrate } from '../../api/migrate.ts';
import { acceptMessage } from '../../api/models/message.ts';
import type { Settings } from '../../config/schema.ts';
import { createBackup } from '../../deploy/backup/create.ts';
import { findBackup } from '../../deploy/backup/find.ts';
import { restoreBackup } from '../../deploy/backup/restore.ts';
import { createTenant, log, newMessage } from '../api/support.ts';
import { handOver } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

describe('restore', () => {
  let world: MtaWorld;
  let app: TestDatabase;
  before(async () => {
    [world, app] = await Promise.all([createMtaWorld('restore'), createTestDatabase('restore')]);
    for (const { pool } of [world.database, app]) pool.on('error', () => {}); // their databases are dropped
    await Promise.all([world.mta.start(), migrate(app.url)]);
  });
  after(async () => {
    await world.close();
    await app.drop();
  });

  it('delivers what was in the queue, and what had not come to it, when both databases were lost', async () => {
    const settings = {
      ...world.settings,
      database: { ...world.settings.database, url: app.url },
      queue: { ...world.settings.queue, url: world.database.url },
    };
    world.sink.script = ({ stage }) => (stage === 'rcpt' ? '451 4.2.0 Later' : undefined);
    await acceptOnly(settings);
    await handOver(world.settings, world.newMessage({ messageId: 4711, to: ['queued@one.test'] }));
    await waitFor(
      'a first attempt',
      async () => world.sink.moments.some(({ stage }) => stage === 'rcpt') || undefined,
    );
    const { name } = await createBackup(settings);

    await world.mta.kill('master');
    await recreate(app.url);
    await recreate(world.database.url);
    world.sink.reset();
    const source = await (await findBackup(settings, name))?.open();
    assert.ok(source);
    const target = { app: app.url, queue: world.database.url };
    await restoreBackup(source, settings, target, { keepsIdsApart: true, pausesQueue: false });

    await world.mta.start();
    const worker = await startWorker(settings, log);
    try {
      await waitFor('both', async () =>
        world.sink.copies('queued@one.test') > 0 && world.sink.copies('waiting@one.test') > 0
          ? true
          : undefined,
      );
    } finally {
      await worker.close();
    }
    assert.equal(world.sink.copies('queued@one.test'), 1);
    assert.equal(world.sink.copies('waiting@one.test'), 1);
  });
});

/** A message of which the worker has a job, and the mta knows nothing. */
async function acceptOnly(settings: Settings): Promise<void> {
  const pool = createPool(settings);
  const boss = await createProducer(pool, log);
  const store: Store = { pool, boss, invalidator: { invalidate: async () => {}, close: async () => {} } };
  try {
    const tenant = await createTenant(store, settings);
    const recipients = [{ address: 'waiting@one.test', kind: 'to' as const }];
    await inTransaction(store, (tx) =>
      acceptMessage(tx, newMessage(tenant, 'Subject: Hello\r\n\r\nHello\r\n', { recipients })),
    );
  } finally {
    await boss.stop({ graceful: false });
    await pool.end();
  }
}

async function recreate(url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const client = new pg.Client({
    connectionString: Object.assign(new URL(url), { pathname: '/postgres' }).href,
  });
  await client.connect();
  await client.query(`drop database ${name} with (force)`);
  await client.query(`create database ${name}`);
  await client.end();
}
