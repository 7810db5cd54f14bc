import assert from 'node:assert/strict';
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

    assert.deepEqual(applied.map((names) => names.length).sort(), [0, 0, 1]);
    assert.deepEqual(await migrate(database.url), []);
    const { rows } = await database.pool.query('select name from schema_migrations');
    assert.deepEqual(rows, [{ name: '0001_initial.sql' }]);
  });

  it('installs the queues of pg-boss', async () => {
    const { rows } = await database.pool.query('select name, notify from pgboss.queue order by name');

    assert.deepEqual(
      rows.filter(({ notify }) => notify).map(({ name }) => name),
      ['hand-over', 'invalidate'],
    );
  });
});
