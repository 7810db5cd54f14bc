import assert from 'node:assert/strict';
import { runPeriodic } from '../../../api/jobs/run-periodic.ts';
import { BACK_UP, PURGE_MESSAGES } from '../../../api/jobs/schedule.ts';
import type { PeriodicContext } from '../../../api/jobs/scheduled.ts';
import { listRuns } from '../../../api/models/scheduled-run.ts';
import { log, startTestApi, type TestApi } from '../support.ts';

describe('api/jobs/run-periodic', () => {
  let api: TestApi;
  let context: PeriodicContext;
  before(async () => {
    api = await startTestApi('periodic', { schedule: { mailTo: 'ops@example.com' } });
    const { domain } = await api.createTenant();
    const { store } = api;
    const settings = {
      ...api.settings,
      webhooks: { ...api.settings.webhooks, notificationAddress: `postern@${domain}` },
    };
    const signal = new AbortController().signal;
    context = { store, pool: store.pool, objects: undefined, settings, log, signal };
  });
  after(() => api.close());
  beforeEach(() => api.store.pool.query('truncate messages, message_sources, scheduled_runs'));

  const succeed = async () => undefined;
  const fail = async () => {
    throw new Error('the disk is full');
  };

  it('tells of the first failure and of the end of it, not of each', async () => {
    for (const work of [succeed, fail, fail, succeed, succeed])
      await runPeriodic(PURGE_MESSAGES, work, context);

    assert.deepEqual(await subjects(), [
      '[postern local] purge-messages: FAILED',
      '[postern local] purge-messages: works again',
    ]);
    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      'select content from message_sources order by message_id limit 1',
    );
    assert.match(rows[0]?.content.toString() ?? '', /the disk is full/);
  });

  it('tells each result of a backup', async () => {
    for (const name of ['one', 'two']) await runPeriodic(BACK_UP, async () => ({ name }), context);

    assert.deepEqual(await subjects(), ['[postern local] back-up: done', '[postern local] back-up: done']);
  });

  it('notes since when it fails, and when it was last well', async () => {
    await runPeriodic(PURGE_MESSAGES, succeed, context);
    await runPeriodic(PURGE_MESSAGES, fail, context);
    const [first] = await listRuns(api.store.pool);
    await runPeriodic(PURGE_MESSAGES, fail, context);
    const [second] = await listRuns(api.store.pool);

    assert.equal(second?.detail, 'the disk is full');
    assert.deepEqual(second?.failingSince, first?.failingSince);
    assert.ok(second?.succeededAt && second.failingSince && second.succeededAt <= second.failingSince);
  });

  async function subjects(): Promise<string[]> {
    const { rows } = await api.store.pool.query<{ subject: string }>(
      'select subject from messages order by id',
    );
    return rows.map(({ subject }) => subject);
  }
});
