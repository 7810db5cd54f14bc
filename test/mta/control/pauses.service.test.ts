import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { storeMessages } from '../../../mta/queue/intake.ts';
import { loadControlState, runUpkeep } from '../../../mta/queue/upkeep.ts';
import { createControlledQueue, useControl } from '../../support/control.ts';
import { countRows, newMessage, queueMessage, takeOne } from '../../support/queue.ts';

const SETTLE_MS = 250;

describe('pauses', () => {
  const mta = useControl('pauses');

  const pause = async (changes: object = {}) =>
    mta.control.call('POST', '/queue/pauses', {
      selector: { domain: 'one.test' },
      reason: 'greylisted',
      ...changes,
    });

  async function addFresh(to: string[]): Promise<void> {
    const message = newMessage({ to, claim: { instanceId: 'test', leaseSeconds: 30 } });
    const [outcome] = await storeMessages(mta.database.pool, [message]);
    mta.queue.claims.addFresh(outcome?.outcome === 'queued' ? outcome.claimed : []);
  }

  it('stop what is queued and what comes in, and nothing else', async () => {
    await queueMessage(mta.database);
    const { status, body } = await pause();
    await mta.queue.claims.start();
    await queueMessage(mta.database);
    mta.queue.claims.noteDue([{ zone: 'default', organizationId: 1, domain: 'one.test', priority: 5 }]);
    await addFresh(['fresh@one.test']);
    await addFresh(['other@two.test']);

    assert.deepEqual([status, body.affected, body.pause.reason], [201, 1, 'greylisted']);
    assert.equal((await takeOne(mta.queue.claims))?.recipient, 'other@two.test');
    await sleep(SETTLE_MS);
    assert.equal(
      await countRows(
        mta.database,
        'deliveries',
        `paused_by = ${body.pause.id} and claim_id is null and attempts = 0`,
      ),
      3,
    );
  });

  it('take what waits in the memory of the master', async () => {
    for (let i = 0; i < 5; i++) await queueMessage(mta.database);
    mta.queue.limits.set('one.test', { connections: 1 });
    await mta.queue.claims.start();
    const attempted = await takeOne(mta.queue.claims);

    const { body } = await pause();

    assert.deepEqual([body.affected, body.inAttempt], [4, 1]);
    mta.queue.claims.end([{ ...(attempted ?? assert.fail()), type: 'delivered' }]);
    const waiting = takeOne(mta.queue.claims);
    assert.equal(await Promise.race([waiting, sleep(SETTLE_MS, 'nothing')]), 'nothing');
  });

  it('concern a row that is deferred while they last', async () => {
    await queueMessage(mta.database);
    await mta.queue.claims.start();
    const row = (await takeOne(mta.queue.claims)) ?? assert.fail();
    const { body } = await pause();
    assert.deepEqual([body.affected, body.inAttempt], [0, 1]);
    await mta.database.pool.query(
      'update deliveries set claim_id = null, claimed_by = null, claimed_until = null, due_at = now()',
    );
    mta.queue.claims.end([{ ...row, type: 'deferred', dueAt: Date.now() }]);
    await sleep(SETTLE_MS);

    assert.equal(await countRows(mta.database, 'deliveries', 'paused_by is not null'), 1);
  });

  it('end when they are resumed: what waited is delivered', async () => {
    const message = await queueMessage(mta.database);
    await mta.queue.claims.start();
    const { body } = await pause();

    const counted = await mta.control.call('DELETE', `/queue/pauses/${body.pause.id}?dryRun=true`);
    const resumed = await mta.control.call('DELETE', `/queue/pauses/${body.pause.id}`);

    assert.deepEqual([counted.body.affected, resumed.body.affected], [1, 1]);
    assert.equal((await takeOne(mta.queue.claims))?.queueId, message.id);
    assert.equal((await mta.control.call('DELETE', `/queue/pauses/${body.pause.id}`)).status, 404);
    const verbs = (await mta.control.call('GET', '/queue/actions')).body.map(
      ({ verb, affected }: { verb: string; affected: number }) => `${verb} ${affected}`,
    );
    assert.deepEqual(verbs, ['resume 1', 'pause 1']);
  });

  it('leave what another pause still concerns', async () => {
    await queueMessage(mta.database);
    await mta.queue.claims.start();
    const first = await pause();
    const second = await pause({ selector: { organization: 1 } });
    assert.equal(second.body.affected, 0);

    await mta.control.call('DELETE', `/queue/pauses/${first.body.pause.id}`);
    const waiting = takeOne(mta.queue.claims);
    assert.equal(await Promise.race([waiting, sleep(SETTLE_MS, 'nothing')]), 'nothing');

    assert.equal(await countRows(mta.database, 'deliveries', `paused_by = ${second.body.pause.id}`), 1);
  });

  it('end by themselves, and rows that are due later are not forgotten', async () => {
    const message = await queueMessage(mta.database);
    await mta.database.pool.query("update deliveries set due_at = now() + interval '0.5 s'");
    await mta.queue.claims.start();
    await pause({ endsAt: new Date(Date.now() + 50).toISOString() });
    await sleep(60);

    await runUpkeep(mta.queue);

    assert.deepEqual((await mta.control.call('GET', '/queue/pauses')).body, []);
    assert.equal((await takeOne(mta.queue.claims))?.queueId, message.id);
  });

  it('by age stop the old, and let pass what is younger', async () => {
    const old = await queueMessage(mta.database);
    await mta.database.pool.query("update deliveries set created_at = now() - interval '2 h'");
    const { body } = await pause({ selector: { domain: 'one.test', olderThanSeconds: 3600 } });
    await mta.queue.claims.start();
    await addFresh(['young@one.test']);

    assert.equal(body.affected, 1);
    assert.equal((await takeOne(mta.queue.claims))?.recipient, 'young@one.test');
    assert.equal(
      await countRows(mta.database, 'deliveries', `queue_id = '${old.id}' and paused_by is not null`),
      1,
    );
  });

  it('survive a restart of the master', async () => {
    await pause();
    await mta.queue.claims.close();
    mta.queue = createControlledQueue(mta.database);
    await loadControlState(mta.queue);
    await mta.queue.claims.start();

    await addFresh(['fresh@one.test']);
    await sleep(SETTLE_MS);

    assert.equal(await countRows(mta.database, 'deliveries', 'paused_by is not null'), 1);
  });

  it('that another instance made or ended count here as well', async () => {
    await queueMessage(mta.database);
    const { rows } = await mta.database.pool.query(
      `insert into queue_pauses (selector, reason, created_by) values ('{"domain": "one.test"}', 'x', 'y') returning id`,
    );
    await runUpkeep(mta.queue);
    await mta.queue.claims.start();
    const waiting = takeOne(mta.queue.claims);
    assert.equal(await Promise.race([waiting, sleep(SETTLE_MS, 'nothing')]), 'nothing');
    assert.equal(await countRows(mta.database, 'deliveries', `paused_by = ${rows[0].id}`), 1);

    await mta.database.pool.query('delete from queue_pauses');
    await runUpkeep(mta.queue);

    assert.ok(await waiting);
  });

  it('need a selector, a reason and an end that is to come', async () => {
    const codes = [];
    for (const changes of [
      { selector: {} },
      { reason: ' ' },
      { endsAt: '2020-01-01T00:00:00Z' },
      { selector: { domian: 'one.test' } },
    ]) {
      const { status, body } = await pause(changes);
      codes.push([status, body.error.code]);
    }

    assert.deepEqual(codes, [
      [422, 'selector_empty'],
      [400, 'invalid_request'],
      [422, 'pause_over'],
      [400, 'invalid_request'],
    ]);
    assert.equal(await countRows(mta.database, 'queue_pauses'), 0);
  });
});
