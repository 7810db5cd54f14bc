/** The control port of a real mta: what it does to mail under way. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { isAlive } from '../../deploy/local/processes.ts';
import { handOver } from '../support/intake-session.ts';
import { waitFor } from '../support/mail.ts';
import { createMtaWorld, type MtaWorld } from '../support/mta-process.ts';

const REPLACE_ON_SIGNAL = pathToFileURL('test/support/replace-on-signal.ts').href;

describe('control port of a running mta', () => {
  let world: MtaWorld;
  before(async () => {
    world = await createMtaWorld('mtacontrol', {
      variables: { NODE_OPTIONS: `--import=${REPLACE_ON_SIGNAL}` },
    });
    await world.mta.start();
  });
  after(async () => {
    await world.close();
  });
  beforeEach(() => world.sink.reset());

  async function call<Body>(method: string, path: string, body?: object): Promise<Body> {
    const { mta, secrets } = world.settings;
    const response = await fetch(`http://127.0.0.1:${mta.controlPort}/queue${path}`, {
      method,
      headers: {
        authorization: `Bearer ${secrets.serviceToken}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body ? JSON.stringify(body) : null,
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return (await response.json()) as Body;
  }

  it('learns the site of a destination from its MX, and selects by it', async () => {
    const message = world.newMessage({ to: ['a@sited.test'] });
    await handOver(world.settings, message);
    await waitFor('arrival', async () => world.sink.copies('a@sited.test') || undefined);
    await call('POST', '/pauses', { selector: { domain: 'sited.test' }, reason: 'test' });
    await handOver(world.settings, world.newMessage({ to: ['b@sited.test'] }));

    const [delivery] = await waitFor('a paused delivery', async () => {
      const found = await call<{ site: string; state: string }[]>(
        'GET',
        '/deliveries?recipient=b@sited.test',
      );
      return found[0]?.state === 'paused' ? found : undefined;
    });

    const site = delivery?.site ?? '';
    assert.ok(site);
    const bySite = await call<{ affected: number }>('POST', '/cancellations', {
      ...{ selector: { site, recipient: 'b@sited.test' }, reason: 'test' },
    });
    assert.equal(bySite.affected, 1);
    assert.equal(world.sink.copies('b@sited.test'), 0);
  });

  it('leaves alone what a sender has in its hands', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    world.sink.script = async ({ stage }) => {
      if (stage === 'dot') await promise;
      return undefined;
    };
    await handOver(world.settings, world.newMessage({ to: ['held@slow.test'] }));
    await waitFor('the attempt', async () => (world.sink.arrivals.length > 0 ? true : undefined));

    const outcome = await call<{ affected: number; inAttempt: number }>('POST', '/cancellations', {
      ...{ selector: { domain: 'slow.test' }, reason: 'test' },
    });
    resolve();

    assert.deepEqual([outcome.affected, outcome.inAttempt], [0, 1]);
    await waitFor('arrival', async () => world.sink.copies('held@slow.test') || undefined);
  });

  it('has a rate in effect at once, and taken back at once', async () => {
    await call('PUT', '/limits/rated.test', { connections: 5, ratePerSecond: 0.2 });
    const send = (name: string) => handOver(world.settings, world.newMessage({ to: [`${name}@rated.test`] }));
    await send('first');
    await send('second');
    await waitFor('the first', async () => world.sink.copies('first@rated.test') || undefined);
    await sleep(500);
    assert.equal(world.sink.copies('second@rated.test'), 0);

    await call('PUT', '/limits/rated.test', { connections: 5 });

    await waitFor('the second', async () => world.sink.copies('second@rated.test') || undefined, 2_000);
  });

  it('replaces senders as the watchdog does: what they have in hand ends, and new ones go on', async () => {
    const before = world.mta.find('sender');
    const { promise, resolve } = Promise.withResolvers<void>();
    world.sink.script = async ({ stage }) => {
      if (stage === 'dot') await promise;
      return undefined;
    };
    await handOver(world.settings, world.newMessage({ to: ['under-way@replaced.test'] }));
    await waitFor('the attempt', async () => (world.sink.arrivals.length > 0 ? true : undefined));

    process.kill(world.mta.pid, 'SIGUSR2');
    await sleep(500);
    assert.ok(isAlive(before), 'the sender has not waited for what it had in hand');
    resolve();
    await waitFor('the old sender to end', async () => (isAlive(before) ? undefined : true));
    await world.mta.waitUntilReady();
    await handOver(world.settings, world.newMessage({ to: ['next@replaced.test'] }));

    await waitFor('the next', async () => world.sink.copies('next@replaced.test') || undefined);
    assert.equal(world.sink.copies('under-way@replaced.test'), 1);
  });
});
