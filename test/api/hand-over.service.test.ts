import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction } from '../../api/database.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import { startWorker, type Worker } from '../../api/jobs/runner.ts';
import { createIntake, type Intake } from '../../api/mail/intake.ts';
import { acceptMessage } from '../../api/models/message.ts';
import { testRedisUrl } from '../support/postgres.ts';
import { type IntakeSink, startIntakeSink } from './intake-sink.ts';
import {
  countRows,
  log,
  newMessage,
  sendRequest,
  startTestApi,
  type Tenant,
  type TestApi,
} from './support.ts';

describe('the hand-over to the mta', () => {
  let sink: IntakeSink;
  let api: TestApi;
  let tenant: Tenant;
  let intake: Intake;

  before(async () => {
    sink = await startIntakeSink();
    api = await startTestApi('handover', {
      mta: { intakePort: sink.port },
      redis: { url: testRedisUrl() },
    });
    tenant = await api.createTenant();
    intake = createIntake(api.settings);
  });
  afterEach(() => {
    sink.received.length = 0;
    sink.nextReplies.length = 0;
    sink.recipientReplies.clear();
  });
  after(async () => {
    intake.close();
    await api.close();
    await sink.close();
  });

  async function accept(
    content: string,
    recipients = ['b@example.com'],
    envelopeFrom = `a@${tenant.domain}`,
  ) {
    return inTransaction(api.store, (tx) =>
      acceptMessage(
        tx,
        newMessage(tenant, content, {
          envelopeFrom,
          recipients: recipients.map((address) => ({ address, kind: 'to' })),
        }),
      ),
    );
  }

  function run(messageId: number, { lifetimeSeconds = 3600, store = api.store } = {}) {
    const settings = { ...api.settings, queue: { ...api.settings.queue, lifetimeSeconds } };
    return handOver({ store, intake, settings }, messageId);
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  const states = ({ recipients }: { recipients: { address: string; status: string; response: string }[] }) =>
    recipients.map(({ address, status, response }) => [address, status, response]);

  const bodies = {
    'dots at the start of lines (SM-18)': 'Subject: x\r\n\r\n.\r\n..\r\n.From: x\r\n..x\r\n\r\n.\r\n',
    'bytes beyond ASCII and long lines': `Subject: x\r\n\r\n\xe4\xf6\xfc\xff\x80${'y'.repeat(5_000)}\t \r\n`,
    'an empty body': 'Subject: x\r\n\r\n',
    'odd but legal headers':
      'subject:x\r\nX-A:\r\n \tfolded  \r\nReceived: a\r\nBcc: kept@x.example\r\n\r\nx\r\n',
    'a message of 3 MB': `Subject: x\r\n\r\n${'.0123456789\r\n'.repeat(250_000)}`,
  };
  for (const [what, content] of Object.entries(bodies)) {
    it(`hands over the stored bytes, behind its own header lines: ${what}`, async () => {
      const id = await accept(content);

      assert.equal(await run(id), 'accepted');
      const head = [`X-Postern-Message: ${id}`, `X-Postern-Organization: ${tenant.organizationId}`];
      assert.deepEqual(sink.received[0]?.raw.split('\r\n').slice(0, 2), head);
      assert.equal(
        sink.received[0]?.raw,
        [
          ...head,
          `X-Postern-Domain: ${tenant.domain}`,
          'X-Postern-Priority: 5',
          'X-Postern-Tags: W10=', // []
          'X-Postern-Stream: transactional',
          'X-Postern-Unsubscribe: no',
          'X-Postern-Tls: as offered',
          'X-Postern-Forward: no',
          'X-Postern-Traceparent: ',
          'X-Postern-Spam-Thresholds: ',
          content,
        ].join('\r\n'),
      );
    });
  }

  it('authenticates, and gives the envelope as it is', async () => {
    const to = ['b@example.com', '"a[b]"@example.com', '"a.b."@example.com', "o'neil+x@example.com"];
    await run(await accept('Subject: x\r\n\r\nx\r\n', to, ''));

    const [{ user, from, to: recipients } = { user: '', from: '', to: [] }] = sink.received;
    assert.deepEqual({ user, from, recipients }, { user: 'worker', from: '', recipients: to });
  });

  it('does nothing for a message that was handed over', async () => {
    const id = await accept('Subject: x\r\n\r\nx\r\n');
    await run(id);

    assert.equal(await run(id), 'nothing_to_do');
    assert.equal(sink.received.length, 1);
  });

  it('hands over the same bytes again after a crash between the 250 and the commit', async () => {
    const { id } = (await api.app.inject(sendRequest(tenant, { subject: 'Grüße' }))).json<{ id: number }>();
    const pool = Object.assign(Object.create(api.store.pool), {
      connect: (callback?: Parameters<typeof api.store.pool.connect>[0]) =>
        callback ? api.store.pool.connect(callback) : Promise.reject(new Error('the process died')),
    });
    await assert.rejects(run(id, { store: { ...api.store, pool } }), /the process died/);

    assert.equal(await run(id), 'accepted');
    assert.equal(sink.received.length, 2);
    assert.equal(sink.received[0]?.raw, sink.received[1]?.raw);
  });

  it('holds all recipients with the reply when the message is refused for good', async () => {
    const id = await accept('Subject: x\r\n\r\nx\r\n', ['b@example.com', 'c@example.com']);
    sink.nextReplies.push('550 5.6.0 not like this');

    assert.equal(await run(id), 'held');
    const message = await show(id);
    assert.equal(message.status, 'held');
    assert.deepEqual(states(message), [
      ['b@example.com', 'held', '550 5.6.0 not like this'],
      ['c@example.com', 'held', '550 5.6.0 not like this'],
    ]);
    assert.deepEqual(
      message.timeline.map(({ event }: { event: string }) => event),
      ['accepted', 'held', 'held'],
    );
    assert.equal(await run(id), 'nothing_to_do');
  });

  it('holds only the recipients that are refused', async () => {
    sink.recipientReplies.set('c@example.com', '550 5.1.1 not this one');
    const id = await accept('Subject: x\r\n\r\nx\r\n', ['b@example.com', 'c@example.com']);

    assert.equal(await run(id), 'accepted');
    assert.deepEqual(sink.received[0]?.to, ['b@example.com']);
    assert.deepEqual(states(await show(id)), [
      ['b@example.com', 'queued', null],
      ['c@example.com', 'held', '550 5.1.1 not this one'],
    ]);
  });

  it('holds each with its own reply when all recipients are refused', async () => {
    sink.recipientReplies.set('b@example.com', '550 5.1.1 one').set('c@example.com', '553 5.1.3 two');
    const id = await accept('Subject: x\r\n\r\nx\r\n', ['b@example.com', 'c@example.com']);

    assert.equal(await run(id), 'held');
    assert.deepEqual(states(await show(id)), [
      ['b@example.com', 'held', '550 5.1.1 one'],
      ['c@example.com', 'held', '553 5.1.3 two'],
    ]);
  });

  it('tries again later after a 4xx, to the message or to all its recipients', async () => {
    const id = await accept('Subject: x\r\n\r\nx\r\n');
    sink.nextReplies.push('451 4.3.0 later');
    await assert.rejects(run(id), /451 4\.3\.0 later/);
    sink.recipientReplies.set('b@example.com', '452 4.3.1 full');
    await assert.rejects(run(id), /452 4\.3\.1 full/);
    sink.recipientReplies.clear();

    assert.equal((await show(id)).status, 'queued');
    assert.equal(await run(id), 'accepted');
  });

  it('tries again later when the mta closes, although it says 550', async () => {
    const id = await accept('Subject: x\r\n\r\nx\r\n');
    sink.nextReplies.push('550 Server shutdown in progress');
    await assert.rejects(run(id), /Server shutdown in progress/);

    assert.equal((await show(id)).status, 'queued');
    assert.equal(await run(id), 'accepted');
  });

  it('holds a message that the mta did not take within its lifetime', async () => {
    const id = await accept('Subject: x\r\n\r\nx\r\n');
    sink.nextReplies.push('451 4.3.0 later');

    assert.equal(await run(id, { lifetimeSeconds: 0 }), 'held');
    assert.match(
      (await show(id)).recipients[0].response,
      /could not be reached within 0 seconds: 451 4\.3\.0 later/,
    );
  });

  it('commits the message and its job together, or neither', async () => {
    const count = async () => {
      const { rows } = await api.store.pool.query(
        `select (select count(*) from messages) as messages,
                (select count(*) from pgboss.job where name = 'hand-over') as jobs,
                (select count(*) from message_sources) as sources,
                (select count(*) from events) as events`,
      );
      return rows[0];
    };
    const before = await count();
    const failing = Object.assign(Object.create(api.store.boss), {
      insert: () => Promise.reject(new Error('no job')),
    });
    const { settings, store, limiter } = api;
    const { createApp } = await import('../../api/app.ts');
    const app = await createApp({ ...store, boss: failing, settings, log, limiter });

    assert.equal((await app.inject(sendRequest(tenant))).statusCode, 500);
    await assert.rejects(
      inTransaction(store, async (tx) => {
        await tx.enqueue('hand-over', { messageId: 1 });
        throw new Error('crash before the commit');
      }),
    );
    assert.deepEqual(await count(), before);
    await app.close();
  });

  describe('by the worker', () => {
    let worker: Worker;

    before(async () => {
      worker = await startWorker(api.settings, log);
      // It first works off what the tests above have left.
      await waitFor(async () => (await countRows(api, `pgboss.job where state < 'completed'`)) === 0);
      sink.received.length = 0;
    });
    after(() => worker.close());

    async function waitFor(check: () => boolean | Promise<boolean>): Promise<void> {
      for (let waited = 0; !(await check()); waited += 20) {
        if (waited > 15_000) throw new Error('nothing happened');
        await sleep(20);
      }
    }

    it('hands a fresh message over at once', async () => {
      const sent = Date.now();
      await api.app.inject(sendRequest(tenant));
      await waitFor(() => sink.received.length === 1);

      assert.ok((sink.received[0]?.at ?? 0) - sent < 800);
    });

    it('tries again after a 451, within seconds', async () => {
      sink.nextReplies.push('451 4.3.0 later');
      await api.app.inject(sendRequest(tenant));
      await waitFor(() => sink.received.length === 2);

      assert.equal(sink.received[0]?.raw, sink.received[1]?.raw);
    });

    it('counts what it did', async () => {
      const text = await worker.registry.metrics();
      assert.match(text, /postern_hand_overs_total\{outcome="accepted"\} \d+/);
      assert.match(text, /postern_hand_overs_total\{outcome="deferred"\} 1/);
      assert.match(text, /postern_hand_over_oldest_seconds \d+/);
    });
  });
});
