import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { inTransaction } from '../../api/database.ts';
import { sendReports } from '../../api/jobs/send-reports.ts';
import { type NewEvent, recordEvents } from '../../api/models/event.ts';
import { findConsignment } from '../../api/models/hand-over.ts';
import { acceptMessage, type NewMessage } from '../../api/models/message.ts';
import { readReport } from '../../inbound/reports/read-report.ts';
import { newMessage, startTestApi, type Tenant, type TestApi } from './support.ts';

const CONTENT = 'From: s@sender.test\r\nSubject: Original\r\n\r\nBody\r\n';

describe('delivery reports', () => {
  let api: TestApi;
  let tenant: Tenant;
  const logged: string[] = [];
  before(async () => {
    api = await startTestApi('reports');
    tenant = await api.createTenant();
    await api.store.pool.query('update organizations set bounce_mail = true');
  });
  after(() => api.close());
  beforeEach(() => void logged.splice(0));

  const accept = (changes: Partial<NewMessage> = {}, content = CONTENT) =>
    inTransaction(api.store, (tx) => acceptMessage(tx, newMessage(tenant, content, changes)));

  function event(messageId: number, type: NewEvent['type'], recipient = 'b@example.com'): NewEvent {
    const data = { response: '550 5.1.1 No such user', code: 550, enhanced_code: '5.1.1' };
    return { id: randomUUID(), messageId, recipient, type, occurredAt: new Date().toISOString(), data };
  }
  const record = (...events: NewEvent[]) => inTransaction(api.store, (tx) => recordEvents(tx, events));

  const log = {
    info: (_facts: object, name = '') => void logged.push(name),
    warn: (_facts: object, name = '') => void logged.push(name),
  };
  const run = (delayAfterSeconds = 3600) =>
    sendReports({ store: api.store, settings: { ...api.settings, reports: { delayAfterSeconds } }, log });

  /** Ids of the reports about a message. */
  async function reportsOf(messageId: number): Promise<number[]> {
    const { rows } = await api.store.pool.query<{ id: number }>(
      `select message_id as id from events
        where type = 'accepted' and data->>'source' = 'report' and (data->>'message_id')::bigint = $1
        order by message_id`,
      [messageId],
    );
    return rows.map(({ id }) => id);
  }

  it('go to the envelope sender alone, with the null reverse-path, one for all that failed (AD-7)', async () => {
    const recipients = ['B@example.com', 'c@example.com', 'd@example.com'].map((address) => ({
      address,
      kind: 'to' as const,
    }));
    const fields =
      'Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\nList-Id: <l.sender.test>\r\nReply-To: other@x.test\r\n';
    const envelopeFrom = `returns@${tenant.domain}`;
    const id = await accept({ recipients, envelopeFrom }, fields + CONTENT);
    await record(
      event(id, 'bounced', 'b@example.com'),
      event(id, 'delivered', 'c@example.com'),
      event(id, 'expired', 'd@example.com'),
    );

    await Promise.all([run(), run(), run()]);
    await run();

    const [reportId = 0, ...others] = await reportsOf(id);
    assert.deepEqual(others, []);
    const consignment = await findConsignment(api.store.pool, reportId);
    assert.deepEqual(
      [consignment?.envelopeFrom, consignment?.recipients, consignment?.domain],
      ['', [envelopeFrom], tenant.domain],
    );
    const content = consignment?.content ?? Buffer.alloc(0);
    assert.match(content.toString(), /Subject: Original/);
    const report = await readReport(content);
    assert.deepEqual(
      report.kind === 'delivery' && report.recipients.map(({ address, outcome }) => [address, outcome]),
      [
        ['B@example.com', 'failed'],
        ['d@example.com', 'failed'],
      ],
    );
  });

  it('AD-6 are never about a report, nor about mail with the null reverse-path: one line in the log', async () => {
    const id = await accept();
    await record(event(id, 'bounced'));
    await run();
    const [reportId = 0] = await reportsOf(id);
    logged.length = 0;

    await record(event(reportId, 'bounced', `a@${tenant.domain}`));
    await run();
    await run();

    assert.deepEqual(await reportsOf(reportId), []);
    assert.deepEqual(logged, ['report.no_sender_to_tell']);
  });

  it('tell of a delay once, when it has lasted so long, and then of the failure', async () => {
    const id = await accept();
    await record(event(id, 'deferred'));
    await run();
    assert.equal((await reportsOf(id)).length, 0);

    await api.store.pool.query(`update delivery_reports set accepted_at = accepted_at - interval '2 hours'`);
    await run();
    await record(event(id, 'deferred'));
    await run(1);
    assert.equal((await reportsOf(id)).length, 1);

    await record(event(id, 'bounced'));
    await run();
    assert.equal((await reportsOf(id)).length, 2);
  });

  it('tell of no delay that is over', async () => {
    const id = await accept();
    await record(event(id, 'deferred'), event(id, 'delivered'));
    await api.store.pool.query(`update delivery_reports set accepted_at = accepted_at - interval '2 hours'`);
    await run();
    assert.deepEqual(await reportsOf(id), []);
  });

  for (const [what, changes] of [
    ['by HTTP', { source: 'http' }],
    ['of a sandbox token', { isSandbox: true }],
  ] as const) {
    it(`are not about mail ${what}`, async () => {
      const { isSandbox = false, ...rest } = changes as { isSandbox?: boolean; source?: 'http' };
      const id = await accept({ ...rest, credential: { ...tenant, isSandbox } });
      await record(event(id, 'bounced'));
      await run();
      assert.deepEqual(await reportsOf(id), []);
    });
  }

  it('are not sent where the organization does not ask for them', async () => {
    const other = await api.createTenant();
    const id = await accept({ credential: other });
    await record(event(id, 'bounced'));
    await run();
    assert.deepEqual(await reportsOf(id), []);
  });
});
