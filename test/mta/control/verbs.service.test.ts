import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCounts } from '../../../mta/queue/counters.ts';
import { storeMessages } from '../../../mta/queue/intake.ts';
import { Outbox } from '../../../mta/queue/outbox.ts';
import { useControl } from '../../support/control.ts';
import { claimAll, countRows, newMessage, queueMessage, takeOne } from '../../support/queue.ts';

describe('verbs of the control API', () => {
  const mta = useControl('verbs');

  const lastAction = async () => (await mta.control.call('GET', '/queue/actions?limit=1')).body[0];
  const readEvents = async () => new Outbox(mta.database.pool).readEvents(1000);

  it('counts with a dry run, and changes and records nothing', async () => {
    await queueMessage(mta.database, { to: ['a@one.test', 'b@two.test'] });

    const { body } = await mta.control.call('POST', '/queue/cancellations', {
      ...{ selector: { domain: 'ONE.test' }, reason: 'x', dryRun: true },
    });

    assert.deepEqual(body, { actionId: null, dryRun: true, affected: 1, inAttempt: 0 });
    assert.equal(await countRows(mta.database, 'deliveries'), 2);
    assert.equal(await lastAction(), undefined);
  });

  it('cancels with an event for each, counted, and takes the message with its last delivery', async () => {
    const both = await queueMessage(mta.database, { to: ['a@one.test', 'b@one.test'] });
    const other = await queueMessage(mta.database, { to: ['c@two.test'] });

    const { status, body } = await mta.control.call('POST', '/queue/cancellations', {
      selector: { message: both.identity.messageId },
      reason: 'sent by mistake',
    });

    assert.deepEqual([status, body.affected], [200, 2]);
    const events = await readEvents();
    assert.deepEqual(
      events.map(({ type, response, recipient, messageId }) => ({ type, response, recipient, messageId })),
      ['a@one.test', 'b@one.test'].map((recipient) => ({
        ...{ type: 'cancelled', response: 'sent by mistake', recipient, messageId: both.identity.messageId },
      })),
    );
    assert.equal(await countRows(mta.database, 'messages', `id <> '${other.id}'`), 0);
    const { cancelled, drift } = await readCounts(mta.database.pool);
    assert.deepEqual([cancelled, drift], [2, 0]);
    assert.equal(mta.queue.announced, 1);
    const { id, createdAt: _, finishedAt, ...action } = await lastAction();
    assert.equal(id, body.actionId);
    assert.ok(finishedAt);
    assert.deepEqual(action, {
      verb: 'cancel',
      selector: { message: both.identity.messageId },
      parameters: {},
      reason: 'sent by mistake',
      actor: 'ada@test',
      affected: 2,
    });
  });

  it('bounces more than one batch', async () => {
    const messages = Array.from({ length: 120 }, (_, message) =>
      newMessage({ to: Array.from({ length: 10 }, (_, index) => `r${message}-${index}@one.test`) }),
    );
    for (let start = 0; start < messages.length; start += 20)
      await storeMessages(mta.database.pool, messages.slice(start, start + 20));

    const { body } = await mta.control.call('POST', '/queue/bounces', {
      selector: { all: true },
      reason: 'gone',
    });

    assert.equal(body.affected, 1200);
    assert.equal(await countRows(mta.database, 'messages'), 0);
    assert.equal(await countRows(mta.database, 'delivery_events'), 1200);
    const { bounced, drift } = await readCounts(mta.database.pool);
    assert.deepEqual([bounced, drift], [1200, 0]);
    assert.equal((await lastAction()).affected, 1200);
  });

  it('leaves alone what is attempted at this moment, and says how many those are', async () => {
    for (let i = 0; i < 3; i++) await queueMessage(mta.database);
    await mta.queue.claims.start();
    const attempted = await takeOne(mta.queue.claims);

    const { body } = await mta.control.call('POST', '/queue/cancellations', {
      ...{ selector: { domain: 'one.test' }, reason: 'x' },
    });

    assert.deepEqual([body.affected, body.inAttempt], [2, 1]);
    assert.deepEqual((await mta.database.pool.query('select queue_id from deliveries')).rows, [
      { queue_id: attempted?.queueId },
    ]);
  });

  it('changes what waits in the memory of the master, attempt uncounted, while senders ask for more', async () => {
    for (let i = 0; i < 60; i++) await queueMessage(mta.database, { to: [`r${i}@one.test`] });
    mta.queue.limits.set('one.test', { connections: 1 });
    await mta.queue.claims.start();
    await takeOne(mta.queue.claims); // the destination is full; more of it are claimed ahead
    const waiting = takeOne(mta.queue.claims, 'b');
    const cancel = async () =>
      (
        await mta.control.call('POST', '/queue/cancellations', {
          ...{ selector: { domain: 'one.test' }, reason: 'x' },
        })
      ).body;

    // What is being claimed at this moment counts as in attempt: it is there the next time.
    let { affected, inAttempt } = await cancel();
    for (let round = 0; inAttempt > 1 && round < 50; round++) {
      await sleep(100);
      const more = await cancel();
      affected += more.affected;
      inAttempt = more.inAttempt;
    }

    assert.deepEqual([affected, inAttempt], [59, 1]);
    assert.deepEqual(new Set((await readEvents()).map((event) => event.attempt)), new Set([0]));
    await mta.queue.claims.close();
    assert.equal(await waiting, undefined);
  });

  it('gives back what an action took out of memory and did not mean', async () => {
    await queueMessage(mta.database);
    mta.queue.limits.set('one.test', { connections: 1 });
    await queueMessage(mta.database);
    await mta.queue.claims.start();
    await takeOne(mta.queue.claims);

    const { body } = await mta.control.call('POST', '/queue/cancellations', {
      ...{ selector: { domain: 'one.test', olderThanSeconds: 3600 }, reason: 'x' },
    });

    assert.equal(body.affected, 0);
    assert.equal(await countRows(mta.database, 'deliveries'), 2);
  });

  it('flushes what was deferred or held: it is delivered at once', async () => {
    const deferred = await queueMessage(mta.database);
    await mta.database.pool.query(
      "update deliveries set due_at = now() + interval '1 h', deferrals = 2, attempts = 2",
    );
    const held = await queueMessage(mta.database, { to: ['a@two.test'] });
    await mta.database.pool.query(
      "update deliveries set held_at = now(), held_reason = 'x', attempts = 25 where queue_id = $1",
      [held.id],
    );
    await mta.queue.claims.start();

    const { body } = await mta.control.call('POST', '/queue/flushes', { selector: { all: true } });

    assert.equal(body.affected, 2);
    const rows = [await takeOne(mta.queue.claims), await takeOne(mta.queue.claims)];
    const byId = new Map(rows.map((row) => [row?.queueId, row]));
    assert.deepEqual(new Set(byId.keys()), new Set([deferred.id, held.id]));
    assert.equal(byId.get(held.id)?.deferrals, 25);
  });

  it('moves to another zone of this mta only', async () => {
    await queueMessage(mta.database);
    await mta.queue.claims.start();
    const selector = { organization: 1 };

    const unknown = await mta.control.call('POST', '/queue/moves', { selector, zone: 'nowhere' });
    const moved = await mta.control.call('POST', '/queue/moves', { selector, zone: 'second' });

    assert.deepEqual([unknown.status, unknown.body.error.code], [422, 'zone_unknown']);
    assert.equal(moved.body.affected, 1);
    const given = await new Promise<string | undefined>((resolve) => {
      mta.queue.claims.wait({
        zone: 'second',
        owner: 'x',
        count: 1,
        give: (rows) => resolve(rows?.[0]?.zone),
      });
    });
    assert.equal(given, 'second');
    assert.deepEqual((await lastAction()).parameters, { zone: 'second' });
  });

  it('adopts the claims of a dead instance, and refuses those of a live one', async () => {
    await queueMessage(mta.database);
    await claimAll(mta.database, { instanceId: 'other', leaseSeconds: 3600 });
    const alive = await mta.database.pool.connect();
    await alive.query("select pg_advisory_lock(7013, hashtext('other'))");
    await mta.queue.claims.start();

    const refused = await mta.control.call('POST', '/queue/adoptions', { instanceId: 'other' });
    await alive.query("select pg_advisory_unlock(7013, hashtext('other'))");
    alive.release();
    const counted = await mta.control.call('POST', '/queue/adoptions', { instanceId: 'other', dryRun: true });
    const adopted = await mta.control.call('POST', '/queue/adoptions', { instanceId: 'other' });

    assert.deepEqual([refused.status, refused.body.error.code], [409, 'instance_alive']);
    assert.equal(counted.body.affected, 1);
    assert.equal(adopted.body.affected, 1);
    assert.equal((await takeOne(mta.queue.claims))?.attempts, 2);
  });

  it('never adopts its own claims', async () => {
    const { status } = await mta.control.call('POST', '/queue/adoptions', { instanceId: 'test' });

    assert.equal(status, 409);
  });

  it('selects by every criterion, and by all that are named together', async () => {
    await mta.database.pool.query(
      "insert into destination_sites (domain, site) values ('two.test', 'google')",
    );
    const message = await queueMessage(mta.database, { to: ['Ann@one.test'], organizationId: 7 });
    await queueMessage(mta.database, { to: ['bob@two.test'], zone: 'second' });
    await mta.database.pool.query("update deliveries set tags = '{receipt}' where domain = 'two.test'");
    await mta.database.pool.query(
      "update deliveries set created_at = now() - interval '2 h' where domain = 'one.test'",
    );
    const count = async (selector: object) =>
      (await mta.control.call('POST', '/queue/cancellations', { selector, reason: 'x', dryRun: true })).body
        .affected;

    assert.deepEqual(
      await Promise.all(
        [
          { message: message.identity.messageId },
          { recipient: 'ann@ONE.test' },
          { domain: 'two.test' },
          { site: 'Google' },
          { organization: 7 },
          { tag: 'receipt' },
          { zone: 'second' },
          { olderThanSeconds: 3600 },
          { organization: 7, domain: 'two.test' },
          { all: true },
        ].map(count),
      ),
      [1, 1, 1, 1, 1, 1, 1, 1, 0, 2],
    );
  });
});
