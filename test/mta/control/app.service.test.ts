import assert from 'node:assert/strict';
import { runUpkeep } from '../../../mta/queue/upkeep.ts';
import { createControl, createControlledQueue, useControl } from '../../support/control.ts';
import { countRows, queueMessage, takeOne } from '../../support/queue.ts';

describe('control API', () => {
  const mta = useControl('control');

  it('shows health and metrics to everybody, the queue to nobody without the token', async () => {
    const anonymous = { authorization: 'Bearer nonsense' };
    const statuses = [];
    for (const path of ['/health', '/metrics', '/queue/summary', '/queue/deliveries'])
      statuses.push((await mta.control.call('GET', path, undefined, anonymous)).status);
    statuses.push(
      (await mta.control.call('POST', '/queue/bounces', { selector: { all: true }, reason: 'x' }, anonymous))
        .status,
    );

    assert.deepEqual(statuses, [200, 200, 401, 401, 401]);
  });

  it('answers 503 while the queue is not open', async () => {
    const early = await createControl(() => undefined);

    assert.equal((await early.call('GET', '/queue/summary')).status, 503);
    await early.close();
  });

  it('refuses what it does not know, rather than reading less into it', async () => {
    await queueMessage(mta.database);
    for (const body of [
      { selector: { domian: 'one.test' }, reason: 'x' },
      { selector: { domain: 'one.test' }, reason: 'x', dryrun: true },
      { selector: { organization: 'one' }, reason: 'x' },
      { selector: { domain: 'one.test' } },
      { selector: { all: false }, reason: 'x' },
    ]) {
      const { status, body: refusal } = await mta.control.call('POST', '/queue/cancellations', body);
      assert.ok(status === 400 || status === 422, JSON.stringify(body));
      assert.ok(refusal.error.message);
    }
    assert.equal(await countRows(mta.database, 'deliveries'), 1);
  });

  it('lists page by page, by state, and shows a delivery without its body', async () => {
    const message = await queueMessage(mta.database, { to: ['a@one.test', 'b@two.test', 'c@two.test'] });
    await mta.database.pool.query(
      `update deliveries set held_at = now(), held_reason = 'unreadable', last_response = '451 later' where domain = 'one.test'`,
    );

    const first = await mta.control.call('GET', '/queue/deliveries?limit=2');
    const last = first.body.at(-1);
    const next = await mta.control.call(
      'GET',
      `/queue/deliveries?limit=2&after=${last.queueId}.${last.sequence}`,
    );
    const held = await mta.control.call('GET', '/queue/deliveries?domain=one.test');
    const shown = await mta.control.call('GET', `/queue/deliveries/${message.id}/${held.body[0].sequence}`);

    assert.deepEqual([first.body.length, next.body.length], [2, 1]);
    assert.deepEqual([held.body[0].state, held.body[0].heldReason], ['held', 'unreadable']);
    assert.equal(shown.body.lastResponse, '451 later');
    assert.deepEqual(shown.body.envelope, {
      ...{ from: 'a@sender.test', recipients: 3, signedFor: 'sender.test', bodyBytes: message.body.length },
    });
    assert.doesNotMatch(JSON.stringify(shown.body), /Hello/);
    assert.equal((await mta.control.call('GET', '/queue/deliveries/none/001')).status, 404);
  });

  it('shows a delivery whose stored envelope cannot be read', async () => {
    const message = await queueMessage(mta.database);
    await mta.database.pool.query("update messages set envelope = '{torn'");

    const { body } = await mta.control.call('GET', `/queue/deliveries/${message.id}/001`);

    assert.equal(body.envelope.from, null);
  });

  it('sums up by zone, organization, domain and site', async () => {
    await mta.database.pool.query(
      "insert into destination_sites (domain, site) values ('one.test', 'google')",
    );
    await queueMessage(mta.database, { to: ['a@one.test', 'b@two.test'], organizationId: 3 });
    await queueMessage(mta.database, { to: ['a@one.test'] });
    await mta.database.pool.query(
      "update deliveries set due_at = now() - interval '100 s' where domain = 'two.test'",
    );

    const { body } = await mta.control.call('GET', '/queue/summary');

    const counts = (kind: string) =>
      body[kind].map(({ name, deliveries }: { name: string; deliveries: number }) => `${name} ${deliveries}`);
    assert.deepEqual(counts('zone'), ['default 3']);
    assert.deepEqual(counts('organization'), ['3 2', '1 1']);
    assert.deepEqual(counts('domain'), ['one.test 2', 'two.test 1']);
    assert.deepEqual(counts('site'), ['google 2', 'two.test 1']);
    assert.ok(body.zone[0].oldestDueSeconds > 99);
  });

  it('says what is wrong with the queue', async () => {
    await queueMessage(mta.database);
    await queueMessage(mta.database);
    await mta.database.pool.query(
      'delete from deliveries where queue_id = (select min(queue_id) from deliveries)',
    );
    await mta.database.pool.query("update deliveries set due_at = now() - interval '1 h'");
    await mta.database.pool.query(
      "insert into delivery_events (id, event, parked_reason) values (gen_random_uuid(), '{}', 'refused')",
    );

    const { body } = await mta.control.call('GET', '/queue/diagnosis');

    assert.equal(body.counts.drift, 1);
    assert.equal(body.oldestDue.site, 'one.test');
    assert.ok(body.oldestDue.seconds > 3_599);
    assert.deepEqual(body.outbox, { events: 0, oldestSeconds: 0, parked: 1 });
  });

  it('sets a limit that is in effect at once, outlives a restart, and can be taken back', async () => {
    const { claims, limits } = mta.queue;
    limits.set('one.test', { connections: 1 });
    for (let i = 0; i < 2; i++) await queueMessage(mta.database);
    await claims.start();
    await takeOne(claims);
    const second = takeOne(claims);

    const { status } = await mta.control.call('PUT', '/queue/limits/One.test', {
      connections: 2,
      ratePerSecond: 5,
    });

    assert.equal(status, 200);
    assert.ok(await second);
    const restarted = createControlledQueue(mta.database);
    await restarted.storedLimits.refresh();
    assert.deepEqual(restarted.limits.of('one.test'), {
      ...{ connections: 2, ratePerSecond: 5, isShared: true },
    });
    await restarted.claims.close();
    assert.equal((await mta.control.call('DELETE', '/queue/limits/one.test')).status, 204);
    assert.equal((await mta.control.call('DELETE', '/queue/limits/one.test')).status, 404);
    assert.deepEqual(limits.of('one.test'), { connections: 100 });
    const { body } = await mta.control.call('GET', '/queue/actions');
    assert.deepEqual(
      body.map(({ verb }: { verb: string }) => verb),
      ['remove_limit', 'set_limit'],
    );
  });

  it('limits sites, and nothing that is neither domain nor site', async () => {
    assert.equal(
      (await mta.control.call('PUT', '/queue/limits/site:google', { connections: 3 })).status,
      200,
    );
    assert.equal((await mta.control.call('PUT', '/queue/limits/nonsense', { connections: 3 })).status, 422);
    assert.equal((await mta.control.call('PUT', '/queue/limits/one.test', { connections: 0 })).status, 400);
    const { body } = await mta.control.call('GET', '/queue/limits');
    assert.deepEqual(body, [
      { destination: '*', connections: 100 },
      { destination: 'site:google', connections: 3 },
    ]);
  });

  it('hears of the limits of other instances', async () => {
    const running = mta.queue;
    await mta.database.pool.query(
      "insert into destination_limits (destination, connections) values ('one.test', 4)",
    );
    await runUpkeep(running);
    assert.deepEqual(running.limits.of('one.test'), { connections: 4, isShared: true });

    await mta.database.pool.query('delete from destination_limits');
    await runUpkeep(running);

    assert.deepEqual(running.limits.of('one.test'), { connections: 100 });
  });

  it('remembers the sites of destinations that deliveries have shown', async () => {
    const running = mta.queue;
    await queueMessage(mta.database);
    await running.claims.start();
    const row = (await takeOne(running.claims)) ?? assert.fail();
    running.claims.end([{ ...row, type: 'delivered', site: 'google' }]);
    await runUpkeep(running);

    const restarted = createControlledQueue(mta.database);
    const { destinations } = restarted.claims.scheduler;
    await restarted.sites.load(destinations);

    assert.equal(destinations.siteOf('one.test'), 'google');
    await restarted.claims.close();
  });
});
