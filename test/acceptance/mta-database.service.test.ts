/** The mta's queue database is gone, half open, slow, read-only, or cut off in the middle of a statement. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFullRun } from '../support/full-run.ts';
import { format, type HandOver, handOverUntilAccepted, IntakeSession } from '../support/intake-session.ts';
import { lockTable } from '../support/locks.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { countRows } from '../support/queue.ts';

/** The statement timeout of a receiver (mta/queue/context.ts), the connect timeout of its pool, and a moment. */
const REPLY_DEADLINE_MS = 10_000;

/** Longer than the ten minutes for which the intake waits for an idle client. */
const DRIP_MS = isFullRun ? 11 * 60_000 : 3_000;
const DRIPS = 30;

describe('mta and its database', () => {
  let world: MtaWorld;
  before(async () => {
    world = await createMtaWorld('database');
    await world.mta.start();
  });
  after(() => world.close());
  afterEach(() => {
    world.postgres.pass();
    world.sink.reset();
  });

  const recipientOf = (message: HandOver) => message.to[0] ?? '';
  const send = (message: HandOver) => handOverUntilAccepted(world.settings, message);
  const waitForDelivery = (messages: HandOver[]) =>
    waitFor(`${messages.length} messages to be delivered`, async () =>
      messages.every((message) => world.sink.copies(recipientOf(message)) > 0) &&
      (await countRows(world.database, 'deliveries')) === 0
        ? true
        : undefined,
    );

  /** Deliveries whose remote answers when `release` is called: their endings meet what was done to the database. */
  async function hang(count: number): Promise<{ messages: HandOver[]; release(): void }> {
    const reply = Promise.withResolvers<undefined>();
    world.sink.script = ({ stage }) => (stage === 'dot' ? reply.promise : undefined);
    const messages = Array.from({ length: count }, (_, index) =>
      world.newMessage({ to: [`h${index}@hang.test`] }),
    );
    await Promise.all(messages.map(send));
    await waitFor('deliveries to hang', async () =>
      world.sink.arrivals.length === count ? true : undefined,
    );
    return { messages, release: () => reply.resolve(undefined) };
  }

  async function setReadOnly(isReadOnly: boolean): Promise<void> {
    const name = new URL(world.database.url).pathname.slice(1);
    await world.database.pool.query(
      `alter database ${name} set default_transaction_read_only = ${isReadOnly}`,
    );
    world.postgres.cut(); // for sessions that are open it changes nothing
  }

  const faults: Record<string, { begin(): unknown; end(): unknown }> = {
    'that is gone': { begin: () => world.postgres.refuse(), end: () => world.postgres.pass() },
    'that is half open': { begin: () => world.postgres.hold(), end: () => world.postgres.pass() },
    'that is read-only': { begin: () => setReadOnly(true), end: () => setReadOnly(false) },
  };

  for (const [what, { begin, end }] of Object.entries(faults)) {
    it(`RS-8: a database ${what} means 451 4.3.0 in time; mail under way is kept, and all recovers`, async () => {
      const { messages, release } = await hang(5);
      const refused = world.newMessage();
      const session = await IntakeSession.open(world.settings);

      await begin();
      release();
      const startedAt = performance.now();
      const reply = await session.send(refused);

      const tookMs = performance.now() - startedAt;
      session.close();
      assert.match(reply, /^451 4\.3\.0/);
      assert.ok(tookMs < REPLY_DEADLINE_MS, `after ${tookMs} ms`);
      await end();
      await send(refused);
      await waitForDelivery([...messages, refused]);
      for (const message of messages) assert.equal(world.sink.copies(recipientOf(message)), 1);
      assert.ok(world.mta.isRunning());
    });
  }

  it('RS-8: a database that is slow by 5 s is waited for', async () => {
    const message = world.newMessage();
    const session = await IntakeSession.open(world.settings);
    world.postgres.delay(2_500);

    const reply = await session.send(message);

    session.close();
    world.postgres.pass();
    assert.match(reply, /^250|^451 4\.3\.0/);
    await send(message); // what was taken already is not taken twice
    await waitForDelivery([message]);
    assert.equal(world.sink.copies(recipientOf(message)), 1);
  });

  for (const isUndone of [true, false]) {
    const fate = isUndone ? 'undone' : 'run to its end';
    it(`DU-11: of 1,000 recipients, cut off while they are written in a statement that is ${fate}, all are queued or none`, async () => {
      const to = Array.from({ length: 1_000 }, (_, index) => `n${index}@many.test`);
      const message = world.newMessage({ to });
      world.sink.script = ({ stage }) => (stage === 'mail' ? '451 4.3.0 Not now' : undefined);
      const countQueued = () => countRows(world.database, 'deliveries', `message_id = ${message.messageId}`);
      const session = await IntakeSession.open(world.settings);
      await using lock = await lockTable(world.database, 'deliveries');
      const reply = session.send(message);
      const [backend] = await lock.waitForWaiters('insert into intakes', 1);

      world.postgres.cut();

      assert.match(await reply, /^451 4\.3\.0/);
      session.close();
      if (isUndone) await lock.terminate(backend ?? assert.fail());
      await lock.release();
      await waitFor('the statement to have ended', async () =>
        (await countRows(world.database, 'pg_stat_activity', `pid = ${backend} and state = 'active'`)) === 0
          ? true
          : undefined,
      );
      // Run to its end, it commits unless Postgres notices first that nobody reads its result.
      const count = await countQueued();
      assert.ok(count === 0 || (count === 1_000 && !isUndone), `${count} of 1,000`);
      await send(message);
      assert.equal(await countQueued(), 1_000);
      await world.mta.kill('master');
      await world.database.pool.query('truncate messages, deliveries, delivery_events');
      await world.mta.start();
    });
  }

  it('DU-9: a message of 1.5 MB that drips in is stored whole', async function () {
    this.timeout(DRIP_MS + 120_000);
    const line = `${randomBytes(256).toString('hex')}\r\n`;
    const message = world.newMessage({ body: line.repeat(3_000) });
    const text = `${format(message)}\r\n.\r\n`;
    const session = await IntakeSession.open(world.settings);
    await session.begin(message);
    const step = Math.ceil(text.length / DRIPS);

    for (let start = 0; start < text.length; start += step) {
      session.write(text.slice(start, start + step));
      await sleep(DRIP_MS / DRIPS);
    }

    assert.match(await session.readReply(), /^250/);
    session.close();
    await waitForDelivery([message]);
    const [arrival] = world.sink.arrivals;
    const body = arrival?.data.subarray(arrival.data.indexOf('\r\n\r\n') + 4) ?? Buffer.alloc(0);
    assert.equal(digest(body), digest(Buffer.from(message.body)));
  });
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
