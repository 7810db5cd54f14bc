import assert from 'node:assert/strict';
import { createLogger } from '../../../lib/log.ts';
import { holdInstance } from '../../../mta/queue/instance-lock.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { createQueueDatabase } from '../../support/queue.ts';

describe('instance lock (DU-7)', () => {
  const log = createLogger('test', { level: 'silent' });
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('instance');
  });
  after(() => database.drop());

  it('refuses a second master of the instance, lets another instance in, and a successor', async () => {
    const options = { url: database.url, instanceId: 'one', log };
    const first = await holdInstance(options);
    await assert.rejects(holdInstance(options, 0), /another mta runs as instance "one"/);
    const other = await holdInstance({ ...options, instanceId: 'two' }, 0);

    await first.end();
    const successor = await holdInstance(options, 2_000);

    await Promise.all([successor.end(), other.end()]);
  });
});
