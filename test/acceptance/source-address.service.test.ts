/** The addresses that mail leaves from: the real mta, with two of them, against sites that block one. */
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { createLogger } from '../../lib/log.ts';
import { type BlockStore, createBlockStore } from '../../lib/pools/block-store.ts';
import { handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';
import { testRedisUrl } from '../support/postgres.ts';

const ONE = '127.0.0.21';
const OTHER = '127.0.0.22';
const BLOCKED = `550 5.7.1 Service unavailable; Client host [${ONE}] blocked using zen.spamhaus.org`;

describe('mta and its source addresses', function () {
  this.timeout(240_000);
  let world: MtaWorld;
  /** Sites of this run alone: blocks are kept in a Redis that others use too. */
  let run = '';
  let blocks: BlockStore;

  before(async () => {
    world = await createMtaWorld('source', { sections: { pacing: { enabled: true } } });
    run = `run${Date.now().toString(36)}`;
    const terms = world.settings.pools;
    blocks = createBlockStore({
      redisUrl: testRedisUrl(),
      terms,
      log: createLogger('test', { level: 'silent' }),
    });
    await world.mta.start();
  });
  after(() => {
    blocks.close();
    return world.close();
  });
  afterEach(() => world.sink.reset());

  /** The only pool, for everybody. */
  async function usePool(...addresses: string[]): Promise<void> {
    world.api.pools = {
      pools: [
        { id: 1, name: 'main', addresses: addresses.map((address) => ({ address, helo: nameOf(address) })) },
      ],
      assignments: [{ poolId: 1, organizationId: null, domain: null, stream: null }],
    };
    await world.forgetPools();
  }

  async function send(domain: string, count = 1): Promise<number[]> {
    const messages = Array.from({ length: count }, () => world.newMessage({ to: [`r@${domain}`] }));
    for (const message of messages) await handOverUntilAccepted(world.settings, message);
    return messages.map(({ messageId }) => messageId);
  }

  /** Of each message, in order: `type address`. */
  function eventsOf(messageIds: number[]): string[][] {
    return messageIds.map((id) =>
      world.api.eventsOf(id).map(({ type, localAddress }) => `${type} ${localAddress}`),
    );
  }

  async function waitForEvents(messageIds: number[], type: string): Promise<string[][]> {
    return waitFor(`${type}`, async () => {
      const events = eventsOf(messageIds);
      return events.every((list) => list.some((event) => event.startsWith(type))) ? events : undefined;
    });
  }

  function blockOne(domain: string): void {
    world.sink.script = ({ stage, recipient, client }) =>
      stage === 'rcpt' && recipient.endsWith(`@${domain}`) && client === ONE ? BLOCKED : undefined;
  }

  /** The end of the block is now. */
  async function bringForward(site: string): Promise<void> {
    const block = (await blocks.blocksOf(site)).get(ONE);
    assert.equal(block?.strikes, 1);
    const redis = new Redis(testRedisUrl());
    await redis.hset(`postern:blocks:${site}`, ONE, JSON.stringify({ ...block, endsAt: Date.now() }));
    await redis.quit();
  }

  const domainOf = (name: string) => `${name}-${run}.test`;

  it('5.3: a blocked address: all mail leaves from the other within one retry, after a restart too, until it ends', async () => {
    const [site, neighbour] = [domainOf('blocking'), domainOf('neighbour')];
    await usePool(ONE, OTHER);
    blockOne(site);

    const first = await waitForEvents(await send(site, 12), 'delivered');
    assert.deepEqual([...new Set(first.map((events) => events.join(', ')))].toSorted(), [
      `deferred ${ONE}, delivered ${OTHER}`,
      `delivered ${OTHER}`,
    ]);
    const elsewhere = await waitForEvents(await send(neighbour, 12), 'delivered');
    assert.deepEqual([...new Set(elsewhere.flat())].toSorted(), [`delivered ${ONE}`, `delivered ${OTHER}`]);

    const tried = () =>
      world.sink.moments.filter(
        ({ stage, client, recipient }) => stage === 'rcpt' && client === ONE && recipient.endsWith(site),
      ).length;
    const before = tried();
    await world.mta.kill('master');
    await world.mta.start();
    const again = await waitForEvents(await send(site, 12), 'delivered');
    assert.deepEqual([...new Set(again.flat())], [`delivered ${OTHER}`]);
    assert.equal(tried(), before);

    world.sink.script = () => undefined;
    await bringForward(site);
    await waitFor('mail from the first address', async () => {
      const events = await waitForEvents(await send(site, 4), 'delivered');
      return events.flat().includes(`delivered ${ONE}`) ? true : undefined;
    });
  });

  it('all addresses blocked: the delivery is put off with the reason, and made when a block is lifted', async () => {
    const site = domainOf('closed');
    await usePool(ONE);
    blockOne(site);

    const ids = await send(site);
    await waitFor('the second deferral', async () => (eventsOf(ids)[0]?.length ?? 0) >= 2 || undefined);
    const reasons = world.api.eventsOf(ids[0] ?? 0).map(({ response }) => response ?? '');
    assert.equal(reasons[0], BLOCKED);
    assert.match(
      reasons[1] ?? '',
      /451 4\.4\.4 The sending pool main has no address that .* takes mail from/,
    );

    world.sink.script = () => undefined;
    const [block] = (await blocks.listBlocks()).filter((entry) => entry.site === site);
    assert.equal(block?.address, ONE);
    await blocks.liftBlock(ONE, site);
    const [events] = await waitForEvents(ids, 'delivered');
    assert.equal(events?.at(-1), `delivered ${ONE}`);
  });

  it('OB-10: a greylisted delivery comes back from the address that the site has seen', async () => {
    const site = domainOf('grey');
    await usePool(ONE);
    let isNew = true;
    world.sink.script = ({ stage }) => {
      if (stage !== 'rcpt' || !isNew) return undefined;
      isNew = false;
      return '451 4.7.1 Greylisting in effect, please come back later';
    };
    const ids = await send(site);
    await waitForEvents(ids, 'deferred');
    await usePool(ONE, OTHER, '127.0.0.23', '127.0.0.24', '127.0.0.25');

    const [events] = await waitForEvents(ids, 'delivered');
    assert.deepEqual(events, [`deferred ${ONE}`, `delivered ${ONE}`]);
    const [deferred] = world.api.eventsOf(ids[0] ?? 0);
    assert.notEqual(deferred?.nextAttemptAt, null);
  });

  it('OB-12: without an address in the pool, or on this machine, mail waits and the sender lives', async () => {
    const sender = world.mta.find('sender');
    await usePool();
    const ids = await send(domainOf('empty'));
    await waitForEvents(ids, 'deferred');
    assert.match(world.api.eventsOf(ids[0] ?? 0)[0]?.response ?? '', /The sending pool main has no address$/);

    await usePool('192.0.2.77');
    const others = await send(domainOf('absent'));
    await waitForEvents(others, 'deferred');
    assert.equal(world.mta.find('sender'), sender);

    await usePool(OTHER);
    const events = await waitForEvents([...ids, ...others], 'delivered');
    for (const list of events) assert.equal(list.at(-1), `delivered ${OTHER}`);
  });

  it('OB-9: a connection from one address is not used for mail of a pool with another', async () => {
    const site = domainOf('reuse');
    await usePool(ONE);
    const [first] = await waitForEvents(await send(site), 'delivered');
    await usePool(OTHER);
    const [second] = await waitForEvents(await send(site), 'delivered');
    assert.deepEqual([first, second], [[`delivered ${ONE}`], [`delivered ${OTHER}`]]);
    const clients = world.sink.moments.filter(({ stage }) => stage === 'dot').map(({ client }) => client);
    assert.deepEqual(clients, [ONE, OTHER]);
  });
});

function nameOf(address: string): string {
  return `out-${address.replaceAll('.', '-')}.postern.test`;
}
