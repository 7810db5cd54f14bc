/** Processes of the mta that are killed, stopped, or crash, at chosen points. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { waitUntilGone } from '../../deploy/local/processes.ts';
import { format, type HandOver, handOverUntilAccepted, IntakeSession } from '../support/intake-session.ts';
import { lockTable } from '../support/locks.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld, type Role } from '../support/mta-process.ts';
import { countRows } from '../support/queue.ts';
import type { Stage } from '../support/scripted-sink.ts';

const CRASHER = pathToFileURL(join(import.meta.dirname, '../support/crash-on-signal.ts')).href;
/** ZoneMTA's shutdownTimeout, and what the processes take to end. */
const STOP_DEADLINE_MS = 15_000;
/** Of a process that does not know its own state any more. */
const CRASH_DEADLINE_MS = 5_000;

describe('mta and crashes', () => {
  let world: MtaWorld;
  before(async () => {
    world = await createMtaWorld('crash', { variables: { NODE_OPTIONS: `--import=${CRASHER}` } });
    await world.mta.start();
  });
  after(() => world.close());
  beforeEach(() => world.mta.start());
  afterEach(() => world.sink.reset());

  const recipientOf = (message: HandOver) => message.to[0] ?? '';
  const send = (message: HandOver) => handOverUntilAccepted(world.settings, message);
  const waitForDelivery = (messages: HandOver[]) =>
    waitFor(`${messages.length} messages to be delivered`, async () =>
      messages.every((message) => world.sink.copies(recipientOf(message)) > 0) &&
      (await countRows(world.database, 'deliveries')) === 0
        ? true
        : undefined,
    );
  const copiesOf = (messages: HandOver[]) =>
    messages.map((message) => world.sink.copies(recipientOf(message)));
  const intakesOf = ({ messageId }: HandOver) =>
    countRows(world.database, 'intakes', `message_id = ${messageId}`);
  const assertCutOff = (sessions: IntakeSession[]) =>
    Promise.all(sessions.map((session) => assert.rejects(session.readReply(), /closed the connection/)));
  /** Of the statement of a client that is dead. */
  const waitForEndOf = (backend: number) =>
    waitFor('the statement of the dead to end', async () =>
      (await countRows(world.database, 'pg_stat_activity', `pid = ${backend} and state = 'active'`)) === 0
        ? true
        : undefined,
    );
  const assertSentOnce = async (messages: HandOver[]) => {
    await world.mta.waitUntilReady();
    await Promise.all(messages.map(send));
    await waitForDelivery(messages);
    assert.deepEqual(
      copiesOf(messages),
      messages.map(() => 1),
    );
  };

  it('DU-2: a receiver that is killed before the end of the data loses and doubles nothing', async () => {
    const accepted = world.newMessage();
    await send(accepted);
    const messages = Array.from({ length: 3 }, () => world.newMessage());
    const [atRcpt, midShort, midLong] = messages as [HandOver, HandOver, HandOver];
    const sessions = await Promise.all(messages.map(() => IntakeSession.open(world.settings)));
    const [first, second, third] = sessions as [IntakeSession, IntakeSession, IntakeSession];
    await first.command('MAIL FROM:<s@sender.test>');
    await first.command(`RCPT TO:<${recipientOf(atRcpt)}>`);
    await second.begin(midShort);
    second.write(`${format(midShort)}\r\nand then`);
    await third.begin(midLong);
    third.write(`${format(midLong)}\r\n${`${'x'.repeat(70)}\r\n`.repeat(30_000)}`);
    await waitFor('chunks of the long body to be written', async () =>
      (await countRows(
        world.database,
        'pg_stat_activity',
        "datname = current_database() and state = 'idle in transaction'",
      )) > 0
        ? true
        : undefined,
    );

    await world.mta.kill('receiver');

    await assertCutOff(sessions);
    await assertSentOnce([accepted, ...messages]);
    assert.equal(await countRows(world.database, 'message_chunks'), 0);
  });

  for (const isCommitted of [false, true]) {
    const when = isCommitted ? 'after the commit, before the reply' : 'before the commit';
    it(`DU-2: a receiver that is killed ${when} loses and doubles nothing`, async () => {
      const messages = [world.newMessage(), world.newMessage()];
      const [written, behind] = messages as [HandOver, HandOver];
      const sessions = await Promise.all(messages.map(() => IntakeSession.open(world.settings)));
      await using lock = await lockTable(world.database, 'intakes');
      await Promise.all(sessions.map((session, index) => session.begin(messages[index] ?? assert.fail())));
      sessions[0]?.write(`${format(written)}\r\n.\r\n`);
      const [backend] = await lock.waitForWaiters('insert into intakes', 1);
      sessions[1]?.write(`${format(behind)}\r\n.\r\n`); // waits in memory for the statement before it

      await world.mta.kill('receiver');

      if (!isCommitted) await lock.terminate(backend ?? assert.fail());
      await lock.release();
      await assertCutOff(sessions);
      await waitForEndOf(backend ?? assert.fail());
      assert.deepEqual(await Promise.all(messages.map(intakesOf)), [isCommitted ? 1 : 0, 0]);
      await assertSentOnce(messages);
    });
  }

  it('DU-3: a sender that is killed at any point loses nothing, and doubles only what had been sent', async () => {
    const stages: [Stage, string][] = [
      ['connect', '127.0.0.31'],
      ['mail', '127.0.0.32'],
      ['data', '127.0.0.33'],
      ['dot', '127.0.0.34'],
    ];
    const silence = new Promise<undefined>(() => {});
    world.sink.script = ({ stage, address }) =>
      stages.some(([held, at]) => held === stage && at === address) ? silence : undefined;
    const held = stages.map(([stage, address]) => {
      world.setAddress(`${stage}.test`, address);
      return world.newMessage({ to: [`r@${stage}.test`] });
    });
    const acknowledged = world.newMessage({ to: ['r@acknowledged.test'] });
    await Promise.all(held.map(send));
    await waitFor('a delivery to hang at each stage', async () =>
      stages.every(([stage, address]) =>
        world.sink.moments.some((moment) => moment.stage === stage && moment.address === address),
      )
        ? true
        : undefined,
    );
    await using lock = await lockTable(world.database, 'delivery_events');
    await send(acknowledged);
    const [ending] = await lock.waitForWaiters('insert into delivery_events', 1); // the remote's 250 has come, and is not committed
    assert.equal(world.sink.copies(recipientOf(acknowledged)), 1);

    await world.mta.kill('sender');

    await lock.terminate(ending ?? assert.fail());
    await lock.release();
    world.sink.script = () => undefined;
    await world.mta.waitUntilReady();
    await waitForDelivery([...held, acknowledged]);
    const [atConnect, atMail, atData, atDot] = held.map(
      (message) => world.sink.arrivals.filter(({ recipient }) => recipient === recipientOf(message)).length,
    );
    assert.deepEqual([atConnect, atMail, atData], [1, 1, 1]);
    assert.equal(atDot, 2); // RFC 1047: the remote may have taken it at the dot
    assert.equal(world.sink.copies(recipientOf(acknowledged)), 2);
  });

  /** Deliveries that wait for the reply to their dot. */
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

  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    it(`DU-6: ${signal} lets deliveries finish, leaves no lease, and ends with 0`, async () => {
      const { messages, release } = await hang(5);
      const stopped = world.mta.signal(signal);
      release();

      assert.equal(await stopped, 0);

      assert.deepEqual(copiesOf(messages), [1, 1, 1, 1, 1]);
      assert.equal(await countRows(world.database, 'deliveries'), 0);
    });
  }

  it('DU-6: SIGTERM ends within its time although deliveries hang; the next start sends them', async () => {
    const { messages } = await hang(5);
    const startedAt = performance.now();

    await world.mta.signal('SIGTERM');

    assert.ok(performance.now() - startedAt < STOP_DEADLINE_MS);
    world.sink.reset();
    await world.mta.start();
    await waitForDelivery(messages);
    assert.deepEqual(copiesOf(messages), [1, 1, 1, 1, 1]);
  });

  it('DU-6: SIGTERM five times ends at once; the next start sends what was under way', async () => {
    const { messages } = await hang(5);
    const startedAt = performance.now();

    await world.mta.signal('SIGTERM', 'SIGTERM', 'SIGTERM', 'SIGTERM', 'SIGTERM');

    assert.ok(performance.now() - startedAt < STOP_DEADLINE_MS);
    world.sink.reset();
    await world.mta.start();
    await waitForDelivery(messages);
    assert.deepEqual(copiesOf(messages), [1, 1, 1, 1, 1]);
  });

  it('DU-6: SIGHUP disturbs no delivery', async () => {
    const { messages, release } = await hang(3);

    for (const role of ['master', 'receiver', 'sender'] as const)
      process.kill(world.mta.find(role), 'SIGHUP');

    release();
    await waitForDelivery(messages);
    assert.ok(world.mta.isRunning());
    assert.deepEqual(copiesOf(messages), [1, 1, 1]);
  });

  for (const [what, signal] of [
    ['an uncaught exception', 'SIGUSR2'],
    ['an unhandled rejection', 'SIGWINCH'],
  ] as const) {
    it(`DU-13: ${what} ends the process, and the queue stays intact`, async () => {
      const { messages } = await hang(4);
      world.sink.script = () => undefined;

      for (const role of ['sender', 'receiver', 'master'] satisfies Role[]) {
        const pid = world.mta.find(role);
        process.kill(pid, signal);
        assert.ok(await waitUntilGone([pid], CRASH_DEADLINE_MS), `the ${role} went on`);
      }

      await world.mta.start();
      await waitForDelivery(messages);
      assert.equal(await countRows(world.database, 'messages'), 0);
    });
  }
});
