import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { inTransaction } from '../../api/database.ts';
import { cancelLate } from '../../api/jobs/cancel-late.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import { CANCEL_LATE, HAND_OVER } from '../../api/jobs/queues.ts';
import type { HandOverResult } from '../../api/mail/intake.ts';
import { createMtaControl } from '../../api/mail/mta-control.ts';
import { recordEvents } from '../../api/models/event.ts';
import { handOverJobId } from '../../api/models/hand-over.ts';
import type { State } from '../../api/models/state.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

/** Stands for the mta's control port. */
interface Mta {
  server: Server;
  port: number;
  asked: { authorization: string | undefined; body: { selector: { message: number }; reason: string } }[];
  answer: (messageId: number) => Promise<{ status: number; body: object }>;
}

const nothing = async () => ({ status: 200, body: { affected: 0, inAttempt: 0 } });

async function startMta(): Promise<Mta> {
  const asked: Mta['asked'] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString());
    asked.push({ authorization: request.headers.authorization, body });
    const { status, body: reply } = await mta.answer(body.selector.message);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const mta: Mta = { server, port: address.port, asked, answer: nothing };
  return mta;
}

describe('send_at and cancellation', () => {
  let mta: Mta;
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    mta = await startMta();
    api = await startTestApi('cancel', { mta: { intakeHost: '127.0.0.1', controlPort: mta.port } });
    tenant = await api.createTenant();
  });
  afterEach(() => {
    mta.asked.length = 0;
    mta.answer = nothing;
  });
  after(async () => {
    await api.close();
    mta.server.closeAllConnections();
    mta.server.close();
  });

  async function send(payload: object = {}): Promise<number> {
    const response = await api.app.inject(sendRequest(tenant, payload));
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ id: number }>().id;
  }

  async function cancel(id: number | string, token = tenant.token) {
    const headers = { 'mailpace-server-token': token };
    const url = `/api/v1/messages/${id}/cancellation`;
    const response = await api.app.inject({ method: 'POST', url, headers });
    return { status: response.statusCode, body: response.json() };
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  function run(id: number, result: HandOverResult = { ok: true, refused: [] }) {
    const intake = { handOver: async () => result, close: () => {} };
    return handOver({ ...api, intake }, id);
  }

  /** As the worker leaves the job behind. */
  async function setJob(id: number, state: 'active' | 'retry' | 'completed') {
    const { rowCount } = await api.store.pool.query(
      `update pgboss.job set state = $3, started_on = now() where name = $1 and id = $2`,
      [HAND_OVER, handOverJobId(id), state],
    );
    assert.equal(rowCount, 1);
  }

  async function jobState(id: number): Promise<string | undefined> {
    const { rows } = await api.store.pool.query<{ state: string }>(
      'select state from pgboss.job where name = $1 and id = $2',
      [HAND_OVER, handOverJobId(id)],
    );
    return rows[0]?.state;
  }

  async function report(id: number, recipient: string, type: Exclude<State, 'queued'>) {
    const event = { messageId: id, recipient, type, occurredAt: new Date().toISOString(), data: {} };
    await inTransaction(api.store, (tx) => recordEvents(tx, [{ id: crypto.randomUUID(), ...event }]));
  }

  const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString();
  const outcome = (address: string, name: string, status: string) => ({ address, outcome: name, status });

  describe('send_at', () => {
    it('is shown, and keeps the message queued', async () => {
      const moment = inOneHour();
      const { send_at, status } = await show(await send({ send_at: moment }));

      assert.deepEqual([send_at, status], [moment, 'queued']);
    });

    it('keeps the job waiting, in the database, and for no longer', async () => {
      const id = await send({ send_at: new Date(Date.now() + 700).toISOString() });
      const fetched = async () =>
        (await api.store.boss.fetch(HAND_OVER, { batchSize: 1000 })).map((job) => job.id);

      assert.equal((await fetched()).includes(handOverJobId(id)), false);
      await sleep(800);
      assert.equal((await fetched()).includes(handOverJobId(id)), true);
    });

    it('takes an offset, and takes a moment that has passed as at once', async () => {
      const zoned = (await show(await send({ send_at: inOneHour().replace('Z', '+00:00') }))).send_at;
      assert.notEqual(zoned, null);
      assert.equal((await show(await send({ send_at: '2020-01-01T00:00:00Z' }))).send_at, null);
    });

    it('counts the lifetime of a message from there', async () => {
      const id = await send({ send_at: inOneHour() });
      await api.store.pool.query(`update messages set created_at = now() - interval '3 days' where id = $1`, [
        id,
      ]);

      await assert.rejects(run(id, { ok: false, reason: 'unavailable', text: 'down' }), /down/);
      assert.equal((await show(id)).status, 'queued');
    });

    for (const value of [
      'tomorrow',
      '2030-01-31',
      '2030-01-31T09:00:00',
      '2030-02-30T09:00:00Z',
      5,
      'x'.repeat(50_000),
    ]) {
      it(`is refused as ${JSON.stringify(value).slice(0, 40)}`, async () => {
        const response = await api.app.inject(sendRequest(tenant, { send_at: value }));
        assert.equal(response.statusCode, 400);
        assert.match(response.json().errors.send_at[0], /with a time zone/);
      });
    }

    it('is refused more than 30 days ahead', async () => {
      const send_at = new Date(Date.now() + 31 * 86_400_000).toISOString();
      const response = await api.app.inject(sendRequest(tenant, { send_at }));
      assert.deepEqual(response.json(), { errors: { send_at: ['is more than 30 days ahead'] } });
    });
  });

  describe('POST /api/v1/messages/:id/cancellation', () => {
    it('cancels what is scheduled, without asking the mta, and once', async () => {
      const id = await send({ send_at: inOneHour(), cc: 'c@example.com' });

      const recipients = [
        outcome('b@example.com', 'cancelled', 'cancelled'),
        outcome('c@example.com', 'cancelled', 'cancelled'),
      ];
      assert.deepEqual(await cancel(id), { status: 200, body: { id, recipients } });
      assert.deepEqual(await cancel(id), { status: 200, body: { id, recipients } });
      const { status, timeline } = await show(id);
      assert.equal(status, 'cancelled');
      assert.deepEqual(
        timeline.map(({ event }: { event: string }) => event),
        ['accepted', 'cancelled', 'cancelled'],
      );
      assert.equal(await run(id), 'nothing_to_do');
      assert.equal(await jobState(id), 'cancelled');
      assert.equal(mta.asked.length, 0);
    });

    it('is a message either handed over or cancelled, whoever is first', async () => {
      const ids = await Promise.all(Array.from({ length: 20 }, () => send()));
      const [jobs, ...answers] = await Promise.all([
        api.store.boss.fetch(HAND_OVER, { batchSize: 1000 }),
        ...ids.map((id) => cancelOnce(id)),
      ]);
      const fetched = new Set(jobs.map((job) => job.id));
      for (const [n, id] of ids.entries()) {
        assert.notEqual(fetched.has(handOverJobId(id)), answers[n] === 'cancelled', `${id} ${answers[n]}`);
      }
    });

    /** Without waiting for a hand-over that is under way. */
    async function cancelOnce(id: number): Promise<string> {
      const { cancelBeforeHandOver, lockHandOver } = await import('../../api/models/cancellation.ts');
      return inTransaction(api.store, async (tx) => {
        const { state } = await lockHandOver(tx, id);
        if (state !== 'waiting') return state;
        await cancelBeforeHandOver(tx, id);
        return 'cancelled';
      });
    }

    it('asks the mta for what it has, and tells what the mta has reported', async () => {
      const id = await send({ to: 'b@example.com, c@example.com, d@example.com' });
      await run(id);
      await setJob(id, 'completed');
      await report(id, 'b@example.com', 'delivered');
      mta.answer = async () => {
        setTimeout(() => void report(id, 'c@example.com', 'cancelled'), 100);
        return { status: 200, body: { actionId: 1, dryRun: false, affected: 1, inAttempt: 1 } };
      };

      assert.deepEqual(await cancel(id), {
        status: 200,
        body: {
          id,
          recipients: [
            outcome('b@example.com', 'too_late', 'delivered'),
            outcome('c@example.com', 'cancelled', 'cancelled'),
            outcome('d@example.com', 'pending', 'queued'),
          ],
        },
      });
      assert.deepEqual(mta.asked, [
        {
          authorization: `Bearer ${api.settings.secrets.serviceToken}`,
          body: { selector: { message: id }, reason: 'Cancelled by the sender' },
        },
      ]);
    });

    it('answers 409 when all is gone already', async () => {
      const id = await send();
      await run(id);
      await setJob(id, 'completed');
      await report(id, 'b@example.com', 'delivered');

      assert.deepEqual(await cancel(id), {
        status: 409,
        body: {
          error: 'Nothing of this message can be cancelled any more',
          id,
          recipients: [outcome('b@example.com', 'too_late', 'delivered')],
        },
      });
    });

    it('cancels what the mta has refused', async () => {
      const id = await send();
      await run(id, {
        ok: false,
        reason: 'refused',
        refused: [{ recipient: 'b@example.com', response: '550', code: 550 }],
      });
      await setJob(id, 'completed');

      assert.deepEqual((await cancel(id)).body.recipients, [
        outcome('b@example.com', 'cancelled', 'cancelled'),
      ]);
    });

    it('answers 503 and changes nothing while the mta is out of reach', async () => {
      const id = await send();
      await run(id);
      await setJob(id, 'completed');
      mta.answer = async () => ({ status: 503, body: { error: { code: 'queue_closed' } } });

      assert.equal((await cancel(id)).status, 503);
      assert.equal((await show(id)).status, 'queued');
    });

    it('waits for a hand-over that is under way', async () => {
      const id = await send();
      await setJob(id, 'active');
      setTimeout(() => void setJob(id, 'retry'), 200);

      assert.equal((await cancel(id)).status, 200);
      assert.equal(mta.asked.length, 1);
    });

    it('asks the mta about a hand-over with an unknown outcome, then and later', async () => {
      const id = await send();
      await setJob(id, 'retry');

      assert.deepEqual((await cancel(id)).body.recipients, [
        outcome('b@example.com', 'cancelled', 'cancelled'),
      ]);
      const { rows } = await api.store.pool.query<{ later: boolean }>(
        `select start_after > now() + interval '1 minute' as later
           from pgboss.job where name = $1 and data->>'messageId' = $2::text`,
        [CANCEL_LATE, String(id)],
      );
      assert.deepEqual(rows, [{ later: true }]);
      await cancelLate(createMtaControl(api.settings), id);
      assert.equal(mta.asked.length, 2);
    });

    it('leaves to the mta what it turns out to have', async () => {
      const id = await send();
      await setJob(id, 'retry');
      mta.answer = async () => {
        await report(id, 'b@example.com', 'cancelled');
        return { status: 200, body: { affected: 1, inAttempt: 0 } };
      };

      assert.deepEqual((await cancel(id)).body.recipients, [
        outcome('b@example.com', 'cancelled', 'cancelled'),
      ]);
      assert.equal(await run(id), 'nothing_to_do');
    });

    it("is opened by an organization's token too", async () => {
      const id = await send({ send_at: inOneHour() });
      const headers = { 'mailpace-organization-token': tenant.organizationToken };
      const url = `/api/v1/messages/${id}/cancellation`;

      assert.equal((await api.app.inject({ method: 'POST', url, headers })).statusCode, 200);
      assert.equal((await show(id)).status, 'cancelled');
    });

    it("does not know another tenant's message (AU-9)", async () => {
      const id = await send({ send_at: inOneHour() });
      const other = await api.createTenant();

      for (const name of [id, 999_999, 'x']) {
        assert.deepEqual(await cancel(name, other.token), { status: 404, body: { error: 'Not found' } });
      }
      assert.equal((await show(id)).status, 'queued');
    });
  });
});
