import assert from 'node:assert/strict';
import { paceOf } from '../../../lib/sites.ts';
import { runUpkeep } from '../../../mta/queue/upkeep.ts';
import { createControlledQueue, useControl } from '../../support/control.ts';
import { queueMessage, takeOne } from '../../support/queue.ts';

const google = paceOf('google');
const later = google.rate.start * 0.9;

describe('paces at the control port', () => {
  const mta = useControl('pacing');
  beforeEach(async () => {
    await queueMessage(mta.database);
    await mta.queue.claims.start();
  });

  /** Google asks for less. */
  async function askForLess(): Promise<void> {
    const { queueId, sequence } = (await takeOne(mta.queue.claims)) ?? assert.fail();
    const verdict = { class: 'rate-limited', action: 'slow-down' };
    mta.queue.claims.end([{ queueId, sequence, type: 'deferred', site: 'google', verdict }]);
  }

  const list = async (path: string) => (await mta.control.call('GET', `/queue/${path}`)).body;

  it('fall at a reply that asks for less, which limits the site', async () => {
    assert.deepEqual(await list('paces'), []);

    await askForLess();

    const [{ address, site, rate, falls }, ...more] = await list('paces');
    assert.deepEqual([address, site, rate, falls, more], ['192.0.2.1', 'google', later, 1, []]);
    assert.equal(mta.queue.claims.scheduler.destinations.limitedSiteOf('default', 'one.test'), 'google');
  });

  it('tell what changed them, after a restart too', async () => {
    await askForLess();
    await runUpkeep(mta.queue);
    await mta.queue.claims.close();
    mta.queue = createControlledQueue(mta.database);

    const [{ id, instanceId, site, trigger, before, after }, ...more] =
      await list('pace_changes?site=google');
    assert.deepEqual([instanceId, site, trigger, more], ['test', 'google', 'rate-limited', []]);
    assert.deepEqual([before.rate, after.rate], [google.rate.start, later]);
    assert.deepEqual(await list('pace_changes?site=yahoo'), []);
    assert.deepEqual(await list('pace_changes?address=192.0.2.2'), []);
    assert.equal((await list('pace_changes?address=192.0.2.1')).length, 1);
    assert.deepEqual(await list(`pace_changes?before=${id}`), []);
  });

  it('refuse a misspelt criterion', async () => {
    assert.equal((await mta.control.call('GET', '/queue/pace_changes?sites=google')).status, 400);
  });
});
