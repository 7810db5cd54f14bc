/** Two instances of the real mta on one queue: limits and paces that they keep to together, at sites that say no. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createControlApi, type Pace } from '../../bin/control-api.ts';
import type { Settings } from '../../config/schema.ts';
import { paceOf } from '../../lib/sites.ts';
import type { ZoneAnswer } from '../../sandbox/zone.ts';
import { type HandOver, handOverUntilAccepted } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';

const ONE = '127.0.0.31';
const OTHER = '127.0.0.32';
/** As Gmail says it */
const SLOW_DOWN =
  '421-4.7.28 Gmail has detected an unusual rate of mail originating from your IP address.\r\n421 4.7.28 To protect our users from spam, mail sent from your IP address has been temporarily rate limited.';
const GOOGLE_MX = 'gmail-smtp-in.l.google.com';
const DEADLINE_MS = 90_000;

describe('two instances of the mta', function () {
  this.timeout(180_000);
  let world: MtaWorld;
  let instances: Settings[];

  before(async () => {
    world = await createMtaWorld('pacing', {
      sections: { pacing: { enabled: true } },
      answer: (name, type): ZoneAnswer | undefined =>
        name.startsWith('google-') && type === 'MX'
          ? { status: 'found', records: [{ type: 'MX', priority: 10, exchange: GOOGLE_MX }] }
          : undefined,
    });
    await world.mta.start();
    instances = [world.settings, await world.startInstance('other')];
  });
  after(() => world.close());
  afterEach(() => world.sink.reset());

  const control = (index: number) => createControlApi(instances[index] ?? assert.fail());

  /** By turns to each of them. */
  async function send(domain: string, count: number): Promise<HandOver[]> {
    const messages = Array.from({ length: count }, () => world.newMessage({ to: [`r@${domain}`] }));
    for (const [index, message] of messages.entries())
      await handOverUntilAccepted(instances[index % 2] ?? assert.fail(), message);
    return messages;
  }

  /** However long the intake takes for it. */
  async function sendAtOnce(domain: string, count: number): Promise<HandOver[]> {
    const paused = await control(0).pause({ selector: { domain }, reason: 'gathering', dryRun: false });
    assert.ok(paused.ok);
    const messages = await send(domain, count);
    const resumed = await control(0).resume(paused.value.pause?.id ?? assert.fail(), false);
    assert.ok(resumed.ok);
    return messages;
  }

  async function waitUntilDelivered(messages: HandOver[]): Promise<void> {
    await waitFor(
      'all to be delivered',
      async () =>
        messages.every(({ messageId }) =>
          world.api.eventsOf(messageId).some(({ type }) => type === 'delivered'),
        ) || undefined,
      DEADLINE_MS,
    );
  }

  async function pacesOf(index: number): Promise<Pace[]> {
    const paces = await control(index).listPaces();
    assert.ok(paces.ok);
    return paces.value.filter(({ site }) => site === 'google');
  }

  async function readMetrics(index: number): Promise<string> {
    const { mta } = instances[index] ?? assert.fail();
    return (await fetch(`http://127.0.0.1:${mta.controlPort}/metrics`)).text();
  }

  const rateOf = (paces: Pace[], address: string) => paces.find((pace) => pace.address === address)?.rate;

  it('OB-13: keep to a limit of a site together, in any window, and to its deliveries at a time', async () => {
    const [rate, connections, seconds] = [4, 3, 5];
    const limit = await control(0).setLimit('site:limited.test', { connections, ratePerSecond: rate });
    assert.ok(limit.ok);
    await waitFor('the limit at the other', async () => {
      const limits = await control(1).listLimits();
      return (
        (limits.ok && limits.value.some(({ destination }) => destination === 'site:limited.test')) ||
        undefined
      );
    });
    let [underWay, most] = [0, 0];
    world.sink.script = async ({ stage }) => {
      if (stage === 'mail') most = Math.max(most, ++underWay);
      if (stage === 'dot') {
        await sleep(100);
        underWay--;
      }
      return undefined;
    };

    const messages = await send('limited.test', 36);
    await waitUntilDelivered(messages);

    const moments = world.sink.moments.filter(({ stage }) => stage === 'mail').map(({ at }) => at);
    const fullest = Math.max(
      ...moments.map((from) => moments.filter((at) => at >= from && at < from + seconds * 1000).length),
    );
    assert.equal(moments.length, 36);
    // What has left may be held up on its way: half as much again. Each by itself they would send twice as much.
    assert.ok(fullest <= rate * seconds * 1.5, `${fullest} in ${seconds} s at ${rate} a second`);
    assert.ok(most <= connections, `${most} at a time`);
    const senders = new Set(world.api.events.map(({ instanceId }) => instanceId));
    assert.deepEqual([...senders].toSorted(), ['other', 'test']);
  });

  it('find the hidden limit of a provider, each address its own, and agree on it', async () => {
    world.api.pools = {
      pools: [
        { id: 1, name: 'main', addresses: [ONE, OTHER].map((address) => ({ address, helo: 'out.test' })) },
      ],
      assignments: [{ poolId: 1, organizationId: null, domain: null, stream: null }],
    };
    await world.forgetPools();
    const taken: number[] = [];
    let refused = 0;
    world.sink.script = ({ stage, client }) => {
      if (stage !== 'mail' || client !== ONE) return undefined;
      const now = Date.now();
      if (taken.filter((at) => at > now - 1000).length >= 2) {
        refused++;
        return SLOW_DOWN;
      }
      taken.push(now);
      return undefined;
    };

    await waitUntilDelivered(await sendAtOnce('google-one.test', 60));

    assert.ok(refused > 0);
    const start = paceOf('google').rate.start;
    const agreed = await waitFor('the same pace at both', async () => {
      const [own, others] = [await pacesOf(0), await pacesOf(1)];
      const rate = rateOf(own, ONE);
      return rate !== undefined && rate === rateOf(others, ONE) ? own : undefined;
    });
    assert.ok((rateOf(agreed, ONE) ?? start) < start, JSON.stringify(agreed));
    assert.ok((rateOf(agreed, OTHER) ?? 0) >= start, JSON.stringify(agreed));
    const metrics = await Promise.all(instances.map((_, index) => readMetrics(index)));
    for (const text of metrics) {
      assert.match(text, /^postern_instances 2$/m);
      assert.match(text, /^postern_limits_shared 1$/m);
      assert.match(text, /^postern_pace_rate\{address="127.0.0.31",site="google"\} /m);
    }
    assert.ok(
      metrics.some((text) =>
        /^postern_pace_changes_total\{trigger="rate-limited",direction="down"\} [1-9]/m.test(text),
      ),
    );
    const changes = await waitFor('what has changed it', async () => {
      const found = await control(1).listPaceChanges({ site: 'google', address: ONE, limit: 100 });
      return found.ok && found.value.length > 0 ? found.value : undefined;
    });
    assert.ok(
      changes.some(({ trigger, before, after }) => trigger === 'rate-limited' && after.rate < before.rate),
    );
  });
});
