import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import { HAND_OVER, LEARN_SPAM } from '../../api/jobs/queues.ts';
import type { Addressed, HandOverResult } from '../../api/mail/intake.ts';
import { cancelRefused } from '../../api/models/cancellation.ts';
import { handOverJobId } from '../../api/models/hand-over.ts';
import { listHeld, refuseHeld, releaseHeld } from '../../api/models/spam-review.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const score = { score: 11.5, symbols: [{ name: 'BAD_WORDS', score: 11.5 }] };
const held: HandOverResult = {
  ok: false,
  reason: 'spam',
  kind: 'held',
  score,
  response: '550 5.7.0 Held for review: spam=11.50 (BAD_WORDS 11.50)',
};
const refused: HandOverResult = {
  ...held,
  kind: 'refused',
  response: '550 5.7.1 Refused as spam: spam=11.50',
};

describe('spam and its review', () => {
  let api: TestApi;
  let tenant: Tenant;
  before(async () => {
    api = await startTestApi('spam_review');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  const settings = () => ({ ...api.settings, spam: { ...api.settings.spam, engine: 'rspamd' as const } });

  async function send(): Promise<number> {
    const to = 'b@example.com, c@example.com';
    const response = await api.app.inject(sendRequest(tenant, { to, subject: 'Hi' }));
    assert.equal(response.statusCode, 200, response.body);
    return response.json().id;
  }

  /** Runs the hand-over with this result. @returns what the intake was given, or undefined where nothing was */
  async function run(id: number, result: HandOverResult): Promise<Addressed | undefined> {
    let given: Addressed | undefined;
    const intake = {
      handOver: async (consignment: Addressed) => {
        given = consignment;
        return result;
      },
      close: () => {},
    };
    await handOver({ store: api.store, intake, settings: settings() }, id);
    return given;
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  async function listJobs(name: string, messageId: number) {
    const { rows } = await api.store.pool.query(
      `select data from pgboss.job where name = $1 and data->>'messageId' = $2 and state = 'created'`,
      [name, String(messageId)],
    );
    return rows.map(({ data }) => data);
  }

  async function completeJob(messageId: number): Promise<void> {
    await api.store.pool.query(`update pgboss.job set state = 'completed' where name = $1 and id = $2`, [
      HAND_OVER,
      handOverJobId(messageId),
    ]);
  }

  /** False: it does not wait for a decision. */
  const decide = async (what: typeof releaseHeld, id: number) =>
    (await inTransaction(api.store, (tx) => what(tx, id))) !== undefined;
  const eventsOf = ({ timeline }: { timeline: { event: string }[] }) => timeline.map(({ event }) => event);

  it('hands the scores of the installation over, and those of the organization before them', async () => {
    const given = await run(await send(), { ok: true, refused: [] });
    assert.deepEqual(given?.spamThresholds, { mark: 6, hold: 10, refuse: 15 });

    await api.store.pool.query('update organizations set spam_hold_score = 7.5 where id = $1', [
      tenant.organizationId,
    ]);
    const own = await run(await send(), { ok: true, refused: [] });
    assert.deepEqual(own?.spamThresholds, { mark: 6, hold: 7.5, refuse: 15 });
  });

  it('shows on the timeline what was found in a message that was sent', async () => {
    const id = await send();
    await run(id, { ok: true, refused: [], spam: { score: 6.2, symbols: score.symbols } });

    const { timeline, status } = await show(id);

    assert.equal(status, 'queued');
    const { event, recipient, data } = timeline.at(-1);
    assert.deepEqual(
      { event, recipient, data },
      { event: 'checked', recipient: null, data: { score: 6.2, action: 'mark', symbols: score.symbols } },
    );
  });

  it('spam is over, with the contract’s state and webhook', async () => {
    const id = await send();
    await run(id, refused);

    const message = await show(id);

    assert.equal(message.status, 'spam');
    assert.deepEqual(eventsOf(message), ['accepted', 'checked', 'spam', 'spam']);
    assert.equal(message.recipients[0].category, 'spam');
    assert.equal(await run(id, refused), undefined);
    assert.equal(await decide(releaseHeld, id), false);
  });

  it('a held message waits for somebody, who lets it go: it is sent unchecked, and learned as ham', async () => {
    const id = await send();
    await run(id, held);
    assert.equal((await show(id)).status, 'held');
    const waiting = (await listHeld(api.store.pool, { after: 0, limit: 100 })).find((one) => one.id === id);
    assert.equal(waiting?.recipients, 2);
    assert.equal(waiting.spam.score, 11.5);

    assert.equal(await decide(releaseHeld, id), true);

    assert.equal((await show(id)).status, 'queued');
    // The job of the refusal is still to be reported as done: that ends nothing else.
    await completeJob(id);
    assert.deepEqual(await listJobs(HAND_OVER, id), [{ messageId: id }]);
    assert.deepEqual(await listJobs(LEARN_SPAM, id), [{ messageId: id, kind: 'ham' }]);
    const given = await run(id, { ok: true, refused: [] });
    assert.deepEqual([given?.spamThresholds, given?.recipients.length], [undefined, 2]);
    assert.equal(await decide(releaseHeld, id), false);
    assert.equal(await decide(refuseHeld, id), false);
  });

  it('what was released and is then refused by the mta is held again, in sight of its sender', async () => {
    const id = await send();
    await run(id, held);
    await decide(releaseHeld, id);
    const refusals = ['b@example.com', 'c@example.com'].map((recipient) => ({
      ...{ recipient, response: '550 5.6.0 No', code: 550 },
    }));

    await run(id, { ok: false, reason: 'refused', refused: refusals });

    const message = await show(id);
    assert.equal(message.status, 'held');
    assert.equal(message.recipients[0].response, '550 5.6.0 No');
    assert.equal(await decide(releaseHeld, id), false);
  });

  it('a held message that is refused is spam, and learned as such', async () => {
    const id = await send();
    await run(id, held);

    assert.equal(await decide(refuseHeld, id), true);

    const message = await show(id);
    assert.equal(message.status, 'spam');
    assert.deepEqual(eventsOf(message), ['accepted', 'checked', 'held', 'held', 'spam', 'spam']);
    assert.deepEqual(await listJobs(LEARN_SPAM, id), [{ messageId: id, kind: 'spam' }]);
    assert.equal(await decide(releaseHeld, id), false);
    assert.ok(!(await listHeld(api.store.pool, { after: 0, limit: 100 })).some((one) => one.id === id));
  });

  it('two decisions at once are one', async () => {
    const id = await send();
    await run(id, held);

    const decisions = await Promise.all([decide(releaseHeld, id), decide(refuseHeld, id)]);

    assert.deepEqual(decisions.toSorted(), [false, true]);
  });

  it('what its sender takes back needs no decision', async () => {
    const id = await send();
    await run(id, held);
    await completeJob(id);
    await inTransaction(api.store, (tx) => cancelRefused(tx, id));

    assert.equal((await show(id)).status, 'cancelled');
    assert.equal(await decide(releaseHeld, id), false);
  });

  it('is over at once when it holds a virus, with the name on the timeline', async () => {
    const id = await send();
    const virus = 'Win.Test.EICAR_HDB-1';
    const response = `550 5.7.1 The message holds a virus: ${virus}`;

    await run(id, { ok: false, reason: 'infected', virus, response });

    const shown = await show(id);
    assert.equal(shown.status, 'spam');
    const last = shown.timeline.at(-1);
    assert.deepEqual(
      [last.event, last.data.category, last.data.virus, last.data.response],
      ['spam', 'virus', virus, response],
    );
    assert.equal(await decide(releaseHeld, id), false);
  });
});
