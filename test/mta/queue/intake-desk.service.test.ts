import assert from 'node:assert/strict';
import { createLogger } from '../../../lib/log.ts';
import { IntakeDesk } from '../../../mta/queue/intake-desk.ts';
import { type LaterMessage, wire } from '../../../mta/queue/wire.ts';
import { waitFor } from '../../support/mail.ts';
import type { TestDatabase } from '../../support/postgres.ts';
import { countRows, createQueueDatabase, newMessage } from '../../support/queue.ts';
import { createTestSettings } from '../../support/settings.ts';

describe('intake desk', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createQueueDatabase('desk');
  });
  after(() => database.drop());

  it('tells the master when a delivery is due that was put off', async () => {
    const told: LaterMessage[] = [];
    const log = createLogger('test', { level: 'silent' });
    const desk = new IntakeDesk({ settings: createTestSettings(), log, pool: database.pool }, (command) => {
      if (typeof command !== 'string' && command.key === wire.later) told.push(command.value as LaterMessage);
    });
    const dueAt = Date.now() + 3_600_000;
    const { id, envelope, identity, body } = newMessage({ to: ['a@one.test'] });

    await desk.accept(
      id,
      { ...envelope, postern: identity, deferDelivery: dueAt },
      { kind: 'short', bytes: body },
    );

    const [message] = await waitFor('the word to the master', async () =>
      told.length > 0 ? told : undefined,
    );
    assert.deepEqual(message?.flows, [
      { zone: 'default', organizationId: 1, domain: 'one.test', priority: 5, dueAt },
    ]);
    assert.equal(await countRows(database, 'deliveries', 'claim_id is null and due_at > now()'), 1);
  });
});
