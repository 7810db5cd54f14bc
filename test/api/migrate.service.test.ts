import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { migrate } from '../../api/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';

describe('api/migrate', () => {
  let database: TestDatabase;

  before(async () => {
    database = await createTestDatabase('migrate');
  });
  after(() => database.drop());

  it('applies each migration once, however many start it at the same time', async () => {
    const applied = await Promise.all([migrate(database.url), migrate(database.url), migrate(database.url)]);

    const all = (await readdir('api/migrations')).sort();
    assert.deepEqual(
      applied.toSorted((a, b) => a.length - b.length),
      [[], [], all],
    );
    assert.deepEqual(await migrate(database.url), []);
    const { rows } = await database.pool.query('select name from schema_migrations order by name');
    assert.deepEqual(
      rows.map(({ name }) => name),
      all,
    );
  });

  it('carries what is there over into partitions, and hands out no id twice', async () => {
    const old = await createTestDatabase('carried');
    try {
      await old.pool.query(await readFile('api/migrations/0001_initial.sql', 'utf8'));
      await old.pool.query(`
        insert into organizations (name) values ('org');
        insert into domains (organization_id, name) values (1, 'sender.test');
        insert into api_tokens (organization_id, domain_id, kind, digest) values (1, 1, 'domain', repeat('a', 64));
        select setval('messages_id_seq', 2500000);
        insert into messages (organization_id, domain_id, token_id, source, envelope_from, from_header, message_id,
                              size_bytes, submission_id)
             values (1, 1, 1, 'smtp', 'a@sender.test', 'a@sender.test', '<m@sender.test>', 4, 'submission-1');
        insert into message_sources values (2500001, 'mail');
        insert into recipients (message_id, address, kind, state) values (2500001, 'b@example.com', 'to', 'delivered');
        insert into events (id, message_id, type, occurred_at) values (gen_random_uuid(), 2500001, 'accepted', now());`);
      await old.pool.query(await readFile('api/migrations/0002_partitions.sql', 'utf8'));

      const { rows } = await old.pool.query(`
        select messages.tableoid::regclass::text as table, submissions.id as submission, content, address,
               recipients.domain_id,
               recipients.state, type, nextval('messages_id_seq') as next
          from messages join submissions on submissions.message_id = messages.id
          join message_sources on message_sources.message_id = messages.id
          join recipients on recipients.message_id = messages.id join events on events.message_id = messages.id`);
      assert.deepEqual(rows, [
        {
          table: 'messages_2000000',
          submission: 'submission-1',
          content: Buffer.from('mail'),
          address: 'b@example.com',
          domain_id: '1',
          state: 'delivered',
          type: 'accepted',
          next: '2500002',
        },
      ]);
    } finally {
      await old.drop();
    }
  });

  it('installs the queues of pg-boss', async () => {
    const { rows } = await database.pool.query('select name, notify from pgboss.queue order by name');

    assert.deepEqual(
      rows.filter(({ notify }) => notify).map(({ name }) => name),
      [
        'back-up',
        'bounce-inbound',
        'cancel-late',
        'check-addresses',
        'clear-away',
        'guard-abuse',
        'hand-over',
        'import-suppressions',
        'invalidate',
        'learn-spam',
        'make-partitions',
        'play-sandbox',
        'purge-messages',
        'renew-certificate',
        'send-tls-reports',
        'tell-organization',
        'tell-owner',
        'tidy-storage',
        'verify-backup',
      ],
    );
  });
});
