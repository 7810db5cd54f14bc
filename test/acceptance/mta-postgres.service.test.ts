/** A Postgres that is killed while mail comes in, and one whose disk is full. Both are the test's own. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HandOver, handOver, handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { type OwnPostgres, startOwnPostgres } from '../support/own-postgres.ts';
import { countRows } from '../support/queue.ts';
import { moveToSmallDisk, type SmallDisk } from '../support/small-disk.ts';

const MESSAGES = 100;
/** 50 a second */
const INTERVAL_MS = 20;
const DRAIN_DEADLINE_MS = 60_000;

describe('mta and a Postgres that fails', function () {
  this.timeout(180_000);
  let postgres: OwnPostgres;
  let world: MtaWorld;
  let disk: SmallDisk | undefined;
  before(async () => {
    postgres = await startOwnPostgres();
    world = await createMtaWorld('postgres', { database: postgres.database });
    await world.mta.start();
  });
  after(async () => {
    disk?.free();
    await world.close();
    disk?.unmount();
  });
  afterEach(() => world.sink.reset());

  const recipientOf = (message: HandOver) => message.to[0] ?? '';

  /** A message every 20 ms, each offered once. @returns those that were answered with 250 */
  async function offerAll(onOffer: (number: number) => void): Promise<HandOver[]> {
    const accepted: HandOver[] = [];
    const offers: Promise<void>[] = [];
    for (let number = 0; number < MESSAGES; number++) {
      const message = world.newMessage();
      const offer = async () => {
        const reply = await handOver(world.settings, message);
        if (reply.startsWith('250')) accepted.push(message);
      };
      offers.push(offer().catch(() => {})); // the receiver was not there: nothing was accepted
      onOffer(number);
      await sleep(INTERVAL_MS);
    }
    await Promise.all(offers);
    return accepted;
  }

  for (const seed of [1, 2, 3]) {
    it(`DU-1: nothing that was accepted is missing after Postgres was killed (seed ${seed})`, async () => {
      const random = createRandom(seed);
      const victim = Math.floor((0.2 + random() * 0.6) * MESSAGES);
      const delayMs = random() * INTERVAL_MS;
      let restarted: Promise<void> | undefined;
      const crash = async () => {
        await sleep(delayMs);
        await postgres.kill();
        await postgres.start();
      };

      const accepted = await offerAll((number) => {
        if (number === victim) restarted = crash();
      });

      await restarted;
      assert.ok(accepted.length > MESSAGES / 10, `only ${accepted.length} were accepted`);
      await waitFor(
        'the queue to drain',
        async () => ((await countRows(world.database, 'deliveries')) === 0 ? true : undefined),
        DRAIN_DEADLINE_MS,
      );
      const missing = accepted.filter((message) => world.sink.copies(recipientOf(message)) === 0);
      const copies = world.sink.arrivals.length;
      console.log(`      ${accepted.length} of ${MESSAGES} accepted at once, ${copies} copies arrived`);
      assert.deepEqual(missing, []);
      for (const message of accepted) {
        assert.ok(world.sink.copies(recipientOf(message)) <= 2); // the crash hit the commit of its ending
      }
      await waitFor('every ending to be reported', async () =>
        accepted.every(({ messageId }) =>
          world.api.eventsOf(messageId).some(({ type }) => type === 'delivered'),
        )
          ? true
          : undefined,
      );
    });
  }

  /** The first test that needs it moves the tables there. */
  async function useSmallDisk(): Promise<SmallDisk | undefined> {
    if (disk) return disk;
    const moved = await moveToSmallDisk(world.database);
    if (moved.ok) disk = moved.disk;
    else console.log(`      skipped: ${moved.reason}`);
    return disk;
  }

  const line = `${'x'.repeat(70)}\r\n`;
  const waitForEmptyQueue = () =>
    waitFor('all to be delivered', async () =>
      (await countRows(world.database, 'deliveries')) === 0 ? true : undefined,
    );

  it('RS-7: a full disk means 452 4.3.1; what is under way is kept, and all recovers', async function () {
    const small = (await useSmallDisk()) ?? this.skip();
    const answer = Promise.withResolvers<undefined>();
    world.sink.script = ({ stage }) => (stage === 'dot' ? answer.promise : undefined);
    const underWay = world.newMessage();
    await handOverUntilAccepted(world.settings, underWay);
    await waitFor('the delivery to hang', async () => (world.sink.arrivals.length === 1 ? true : undefined));
    const [short, long] = [10_000, 30_000].map((lines) => world.newMessage({ body: line.repeat(lines) }));
    const messages = [short ?? assert.fail(), long ?? assert.fail()];

    small.fill();

    for (const message of messages) assert.match(await handOver(world.settings, message), /^452 4\.3\.1/);
    answer.resolve(undefined);
    small.free();
    for (const message of messages) await handOverUntilAccepted(world.settings, message);
    await waitForEmptyQueue();
    for (const message of [underWay, ...messages]) assert.equal(world.sink.copies(recipientOf(message)), 1);
  });

  // Tables grow within their files: Postgres mostly does not mind.
  it('RS-7: a disk without an inode takes mail or means 452 4.3.1, and nothing is lost', async function () {
    const small = (await useSmallDisk()) ?? this.skip();
    const messages = [1, 30_000].map((lines) => world.newMessage({ body: line.repeat(lines) }));

    small.fillInodes();

    const replies: string[] = [];
    for (const message of messages) replies.push(await handOver(world.settings, message));
    small.free();
    for (const reply of replies) assert.match(reply, /^(250|452 4\.3\.1)/);
    for (const message of messages) await handOverUntilAccepted(world.settings, message);
    await waitForEmptyQueue();
    for (const message of messages) assert.equal(world.sink.copies(recipientOf(message)), 1);
  });
});

/** Numbers from 0 to 1 that are the same at every run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
