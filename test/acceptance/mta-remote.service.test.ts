/** What remote servers do to a delivery: the real mta against a server that misbehaves. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createControlApi } from '../../bin/control-api.ts';
import { isFullRun } from '../support/full-run.ts';
import { type HandOver, handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { countRows } from '../support/queue.ts';
import { DROP } from '../support/scripted-sink.ts';

/** RFC 5321 4.5.3.2.6 allows ten minutes; otherwise longer than a lease of this world. */
const SLOW_REPLY_MS = isFullRun ? 9 * 60_000 : 7_000;

describe('mta and remote servers', () => {
  let world: MtaWorld;
  before(async () => {
    world = await createMtaWorld('remote');
    await world.mta.start();
  });
  after(() => world.close());
  afterEach(() => world.sink.reset());

  const typesOf = ({ messageId }: HandOver) => world.api.eventsOf(messageId).map(({ type }) => type);
  const send = (message: HandOver) => handOverUntilAccepted(world.settings, message);
  const waitForType = (message: HandOver, type: string) =>
    waitFor(`message ${message.messageId} to be ${type}`, async () =>
      typesOf(message).some((found) => found === type) ? true : undefined,
    );

  it('DU-4: a link that is dropped after the dot, without a reply, means to try again', async () => {
    let drops = 0;
    world.sink.script = ({ stage }) => (stage === 'dot' && drops++ === 0 ? DROP : undefined);
    const message = world.newMessage({ to: ['a@dropped.test'] });

    await send(message);

    await waitForType(message, 'delivered');
    assert.deepEqual(typesOf(message), ['deferred', 'delivered']);
    assert.equal(world.sink.arrivals.length, 2); // RFC 5321 4.5.3.2.6: the client cannot know
    assert.equal(world.sink.copies('a@dropped.test'), 1);
    assert.equal(await countRows(world.database, 'deliveries'), 0);
  });

  it('DU-4: a reply to the dot that takes its time is waited for, and nothing is sent twice meanwhile', async function () {
    this.timeout(SLOW_REPLY_MS + 120_000);
    world.sink.script = async ({ stage }) => {
      if (stage === 'dot') await sleep(SLOW_REPLY_MS);
      return undefined;
    };
    const message = world.newMessage({ to: ['a@thorough.test'] });
    await send(message);

    await waitFor(
      'the delivery',
      async () => (typesOf(message).includes('delivered') ? true : undefined),
      SLOW_REPLY_MS + 30_000,
    );

    assert.deepEqual(typesOf(message), ['delivered']);
    assert.equal(world.sink.arrivals.length, 1);
  });

  it('DU-5: of three recipients one is delivered, one deferred, one bounced, each alone', async () => {
    let isBusy = true;
    world.sink.script = ({ stage, recipient }) => {
      if (stage !== 'rcpt') return undefined;
      if (recipient.startsWith('never')) return '550 5.1.1 No such user';
      return recipient.startsWith('later') && isBusy ? '450 4.2.1 Try later' : undefined;
    };
    const message = world.newMessage({ to: ['ok@three.test', 'later@three.test', 'never@three.test'] });

    await send(message);

    await waitFor('three events', async () => (typesOf(message).length >= 3 ? true : undefined));
    const outcomes = world.api.eventsOf(message.messageId).map((event) => `${event.recipient} ${event.type}`);
    assert.deepEqual(
      outcomes.slice(0, 3).toSorted(),
      ['later@three.test deferred', 'never@three.test bounced', 'ok@three.test delivered'].toSorted(),
    );
    assert.equal(await countRows(world.database, 'deliveries'), 1);
    isBusy = false;
    await waitFor('the second try', async () =>
      world.sink.copies('later@three.test') === 1 ? true : undefined,
    );
    assert.equal(world.sink.copies('ok@three.test'), 1);
    assert.equal(world.sink.copies('never@three.test'), 0);
  });

  it('CM-14: an address beyond ASCII bounces with 5.6.7 where the server has no SMTPUTF8, and is not sent', async () => {
    world.sink.script = ({ stage }) => (stage === 'ehlo' ? '250 sink.test' : undefined);
    const message = world.newMessage({ to: ['jürgen@ascii.test'] });
    await send(message);

    await waitForType(message, 'bounced');
    const [event] = world.api.eventsOf(message.messageId);
    assert.match(JSON.stringify(event), /553 5\.6\.7 The server of the recipient/);
    assert.ok(!world.sink.moments.some(({ stage }) => stage === 'mail'));
    assert.equal(await countRows(world.database, 'deliveries'), 0);
  });

  it('OB-9: a connection that the remote closed while it was idle is replaced', async () => {
    const [first, second] = [
      world.newMessage({ to: ['a@idle.test'] }),
      world.newMessage({ to: ['b@idle.test'] }),
    ];
    await send(first);
    await waitForType(first, 'delivered');

    world.sink.dropConnections();
    await send(second);

    await waitForType(second, 'delivered');
    assert.deepEqual(typesOf(second), ['delivered']);
    assert.equal(new Set(world.sink.arrivals.map(({ connection }) => connection)).size, 2);
  });

  it('OB-9: a cached connection that no longer works costs a try, never the message', async () => {
    const [first, second] = [
      world.newMessage({ to: ['a@stale.test'] }),
      world.newMessage({ to: ['b@stale.test'] }),
    ];
    await send(first);
    await waitForType(first, 'delivered');
    const stale = world.sink.arrivals[0]?.connection;
    world.sink.script = ({ stage, connection }) =>
      connection === stale && (stage === 'rset' || stage === 'mail') ? DROP : undefined;

    await send(second);

    await waitForType(second, 'delivered');
    const used = world.sink.moments.filter(
      ({ stage, connection }) => stage === 'mail' && connection === stale,
    );
    assert.equal(used.length, 2); // the cached connection was tried
    assert.equal(world.sink.copies('b@stale.test'), 1);
    assert.notEqual(world.sink.arrivals[1]?.connection, stale);
  });

  it('RS-14: a destination that answers 421 to all is tried by the schedule until the message expires', async () => {
    world.setAddress('busy.test', '127.0.0.21');
    world.sink.script = ({ address }) => (address === '127.0.0.21' ? '421 4.7.0 Too busy' : undefined);
    const message = world.newMessage({ to: ['a@busy.test'] });
    await send(message);
    await waitForType(message, 'deferred');

    // A lifetime of days, scaled down.
    await world.database.pool.query("update deliveries set expires_at = now() + interval '3 seconds'");

    await waitForType(message, 'expired');
    const events = world.api.eventsOf(message.messageId);
    const deferrals = events.filter(({ type }) => type === 'deferred');
    assert.ok(deferrals.length >= 2, `${deferrals.length} deferrals`);
    for (const { nextAttemptAt, occurredAt, response } of deferrals) {
      const waitMs = Date.parse(nextAttemptAt ?? '') - Date.parse(occurredAt);
      assert.ok(waitMs >= 900 && waitMs <= 1_200, `waits ${waitMs} ms`);
      assert.match(response ?? '', /^421 4\.7\.0/);
    }
    assert.equal(events.at(-1)?.type, 'expired');
    assert.equal(await countRows(world.database, 'messages'), 0);
  });

  it('RS-14: of a destination that answers 421 to all one is asked at a time; when it answers, more are', async () => {
    const address = '127.0.0.23';
    world.setAddress('overloaded.test', address);
    const control = createControlApi(world.settings);
    let isOverloaded = true;
    const open = new Set<number>();
    let mostOpen = 0;
    world.sink.script = async ({ stage, connection, ...moment }) => {
      if (moment.address !== address) return undefined;
      if (stage === 'mail') mostOpen = Math.max(mostOpen, open.add(connection).size);
      if (stage === 'mail' || stage === 'dot') await sleep(50);
      if (stage === 'dot' || isOverloaded) open.delete(connection);
      return isOverloaded ? '421 4.7.0 Too busy' : undefined;
    };
    const messages = Array.from({ length: 40 }, (_, index) =>
      world.newMessage({ to: [`r${index}@overloaded.test`] }),
    );
    await Promise.all(messages.map(send));

    const slowed = await waitFor('one at a time', async () => {
      const listed = await control.listSlowdowns();
      const found = listed.ok ? listed.value : [];
      return found.find(({ destination, retryAt }) => destination === 'overloaded.test' && retryAt);
    });
    assert.deepEqual([slowed.connections, slowed.response], [1, '421 4.7.0 Too busy']);
    const attempts = () => world.sink.moments.filter((moment) => moment.address === address).length;
    const before = attempts();
    mostOpen = 0;
    await sleep(1_500);
    assert.ok(mostOpen <= 1, `${mostOpen} at a time`);
    assert.ok(attempts() - before <= 6, `${attempts() - before} steps in 1.5 s`);

    isOverloaded = false;
    await Promise.all(messages.map((message) => waitForType(message, 'delivered')));

    assert.ok(mostOpen > 1, 'no more than one at a time');
    for (const { to } of messages) assert.equal(world.sink.copies(to[0] ?? ''), 1);
  });

  it('RS-13: 10,000 messages to a dead destination do not hold up ten to another one', async () => {
    world.setAddress('dead.test', '127.0.0.22');
    const hold = Promise.withResolvers<typeof DROP>();
    world.sink.script = ({ address }) => (address === '127.0.0.22' ? hold.promise : undefined);
    await send(world.newMessage({ to: ['a@dead.test'] }));
    await world.mta.kill('master');
    await multiply(world, 'dead.test', 10_000);
    await world.mta.start();
    await waitFor('all slots of the dead destination to be taken', async () => {
      const slots = world.sink.moments.filter(({ address }) => address === '127.0.0.22').length;
      return slots >= world.settings.mta.maxConnectionsPerDomain ? true : undefined;
    });
    const good = Array.from({ length: 10 }, (_, index) => world.newMessage({ to: [`g${index}@alive.test`] }));

    const startedAt = performance.now();
    await Promise.all(good.map(send));
    await waitFor('the ten', async () =>
      good.every((message) => world.sink.copies(message.to[0] ?? '') === 1) ? true : undefined,
    );

    const tookMs = performance.now() - startedAt;
    assert.ok(tookMs < 5_000, `took ${tookMs} ms`);
    assert.ok((await countRows(world.database, 'deliveries', "domain = 'dead.test'")) >= 10_000);
    await world.mta.kill('master');
    await world.database.pool.query('truncate messages, deliveries, delivery_events');
    hold.resolve(DROP);
    await world.mta.start();
  });

  it('DU-7: a second mta of the same instance is refused while deliveries hang, and sends nothing', async () => {
    const release = Promise.withResolvers<undefined>();
    world.sink.script = ({ stage }) => (stage === 'dot' ? release.promise : undefined);
    const messages = Array.from({ length: 20 }, (_, index) =>
      world.newMessage({ to: [`r@slow${index % 4}.test`], body: `slow ${index}` }),
    );
    await Promise.all(messages.map(send));
    await waitFor('20 deliveries to hang', async () =>
      world.sink.arrivals.length === messages.length ? true : undefined,
    );

    const second = await world.startSecond();

    const [code] = await once(second, 'exit');
    assert.notEqual(code, 0);
    release.resolve(undefined);
    await Promise.all(messages.map((message) => waitForType(message, 'delivered')));
    assert.equal(world.sink.arrivals.length, messages.length);
  });

  it('DU-8: of what was put into the queue while it was down, the good is sent and the bad is held', async () => {
    world.sink.script = ({ stage }) => (stage === 'rcpt' ? '450 4.2.1 Not now' : undefined);
    const good = world.newMessage({ to: ['good@down.test'] });
    const bad = ['torn@down.test', 'foreign@down.test', 'hollow@down.test'].map((to) =>
      world.newMessage({ to: [to] }),
    );
    await Promise.all([good, ...bad].map(send));
    await Promise.all([good, ...bad].map((message) => waitForType(message, 'deferred')));
    await world.mta.kill('master');
    world.sink.reset();
    const change = (recipient: string, assignment: string) =>
      world.database.pool.query(
        `update messages set ${assignment} where id = (select queue_id from deliveries where recipient = $1)`,
        [recipient],
      );
    await change('torn@down.test', 'envelope = left(envelope, 40)');
    await change('foreign@down.test', `envelope = '["not an envelope"]'`);
    await change('hollow@down.test', `body = '', chunks = 2`);
    await multiply(world, 'down.test', 5, 'good@down.test');

    await world.mta.start();

    await waitForType(good, 'delivered');
    await waitFor('the bad ones to be held', async () =>
      (await countRows(world.database, 'deliveries', 'held_at is not null')) === bad.length
        ? true
        : undefined,
    );
    await waitFor('the injected ones to leave', async () =>
      (await countRows(world.database, 'deliveries', 'held_at is null')) === 0 ? true : undefined,
    );
    assert.equal(world.sink.copies('good@down.test'), 6);
    const { rows } = await world.database.pool.query<{
      held_reason: string;
      recipient: string;
      queue_id: string;
    }>('select recipient, held_reason, queue_id from deliveries order by recipient');
    const hollow = rows[1]?.queue_id;
    assert.deepEqual(
      rows.map(({ held_reason, recipient }) => `${recipient}: ${held_reason}`),
      [
        'foreign@down.test: The stored envelope cannot be read',
        `hollow@down.test: The body of message ${hollow} is not complete`,
        'torn@down.test: The stored envelope cannot be read',
      ],
    );
    assert.equal(world.sink.arrivals.length, 6); // nothing of the hollow one was taken for a message
    for (const message of bad) {
      await waitForType(message, 'held');
      assert.equal(typesOf(message).filter((type) => type === 'held').length, 1);
    }
  });
});

/** Puts copies of a queued message into the queue, due now, each under an id of its own. */
async function multiply(world: MtaWorld, domain: string, count: number, recipient?: string): Promise<void> {
  await world.database.pool.query(
    `with template as (
            select m.*, d.zone, d.recipient, d.domain as destination
              from messages m
              join deliveries d on d.queue_id = m.id
             where d.domain = $1 and ($3::text is null or d.recipient = $3)
             limit 1
          ),
          copies as (
            insert into messages (id, message_id, organization_id, domain, envelope, body, recipients, expires_at)
            select 'copy' || n, 1000000 + n, organization_id, domain, envelope, body, 1, expires_at
              from template cross join generate_series(1, $2) n
          )
     insert into deliveries (queue_id, sequence, message_id, zone, organization_id, recipient, domain, expires_at)
     select 'copy' || n, '001', 1000000 + n, zone, organization_id, recipient, destination, expires_at
       from template cross join generate_series(1, $2) n`,
    [domain, count, recipient ?? null],
  );
  await world.database.pool.query('update deliveries set due_at = now() where claim_id is null');
}
