/** What bounces and complaints that come by mail change: BN-5, BN-6, BN-8, AD-11. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { inTransaction } from '../../../api/database.ts';
import { createEventId, recordEvents } from '../../../api/models/event.ts';
import { acceptMessage } from '../../../api/models/message.ts';
import { readBounce } from '../../../inbound/bounce.ts';
import { readComplaint } from '../../../inbound/complaint.ts';
import { createReturnPath, digestRecipient, readReturnPath } from '../../../lib/return-path.ts';
import { deriveKey } from '../../../lib/secrets.ts';
import { newMessage, startTestApi, type Tenant, type TestApi } from '../support.ts';

const HARD = { class: 'recipient-unknown', isHard: true, action: 'suppress', rule: 'common:1' };
const SOFT = { class: 'mailbox-full', isHard: false, action: 'retry', rule: 'common:2' };

describe('reports by mail', () => {
  let api: TestApi;
  let tenant: Tenant;
  before(async () => {
    api = await startTestApi('mail_reports', { webhooks: { allowHttp: true, allowLoopback: true } });
    tenant = await api.createTenant();
  });
  after(() => api.close());

  const query = async <T extends object>(text: string, ...values: unknown[]) =>
    (await api.store.pool.query<T>(text, values)).rows;

  /** Delivered to all of the addresses. */
  async function deliver(addresses: string[], messageId = `<${randomUUID()}@${tenant.domain}>`) {
    const recipients = addresses.map((address) => ({ address, kind: 'to' as const }));
    const id = await inTransaction(api.store, (tx) =>
      acceptMessage(tx, newMessage(tenant, 'x', { recipients, messageId })),
    );
    const delivered = addresses.map((recipient) => ({
      id: createEventId('delivered', id, recipient),
      messageId: id,
      recipient,
      type: 'delivered' as const,
      occurredAt: new Date().toISOString(),
      data: { mx: { hostname: 'mx.example.com', address: null } },
    }));
    await inTransaction(api.store, (tx) => recordEvents(tx, delivered));
    return { id, messageId };
  }

  async function report(path: 'bounce_reports' | 'complaints', body: object): Promise<string> {
    const digest = createHash('sha256').update(randomUUID()).digest('hex');
    const response = await api.app.inject({
      method: 'POST',
      url: `/rpc/v1/${path}`,
      headers: { authorization: `Bearer ${api.settings.secrets.serviceToken}` },
      payload: {
        digest,
        receivedAt: new Date().toISOString(),
        returnPath: null,
        original: null,
        authenticatedDomains: [],
        ...body,
      },
    });
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ outcome: string }>().outcome;
  }

  const pathOf = (id: number, recipient: string) => ({
    returnPath: { messageId: id, recipientDigest: digestRecipient(recipient) },
  });
  const said = (address: string | undefined, bounce = HARD, outcome = 'failed') => ({
    recipients: [
      {
        addresses: address === undefined ? [] : [address],
        outcome,
        status: '5.1.1',
        response: '550 5.1.1 no such user',
        mx: 'mx.example.com',
        bounce,
      },
    ],
  });
  const stateOf = async (id: number) =>
    (await query<{ state: string }>('select state from messages where id = $1', id))[0]?.state;
  const eventsOf = async (id: number) =>
    (
      await query<{ type: string }>('select type from events where message_id = $1 order by position', id)
    ).map(({ type }) => type);
  const blocksOf = (address: string) =>
    query<{ reason: string; stream: string; lasts: boolean }>(
      `select reason, stream, expires_at is null as lasts from suppressions where address = $1`,
      address,
    );

  it('a hard bounce after delivered is on the timeline, changes the state and suppresses until it expires', async () => {
    const { id } = await deliver(['late@example.com']);
    assert.equal(
      await report('bounce_reports', { ...pathOf(id, 'late@example.com'), ...said('late@example.com') }),
      'recorded',
    );
    assert.equal(await stateOf(id), 'bounced');
    assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'bounced']);
    assert.deepEqual(await blocksOf('late@example.com'), [
      { reason: 'bounced', stream: 'all', lasts: false },
    ]);
  });

  it('BN-8: the same bounce twice, in one mail or in two, is one event and one webhook', async () => {
    const url = `/api/v1/domains/${tenant.domainId}/webhooks`;
    const headers = { 'mailpace-organization-token': tenant.organizationToken };
    const payload = { webhook: { url: 'http://127.0.0.1/', events: ['email.bounced'] } };
    const added = await api.app.inject({ method: 'POST', url, headers, payload });
    assert.equal(added.statusCode, 201, added.body);
    const { id } = await deliver(['twice@example.com']);
    const body = { ...pathOf(id, 'twice@example.com'), ...said(undefined), digest: 'a'.repeat(64) };
    assert.equal(await report('bounce_reports', body), 'recorded');
    assert.equal(await report('bounce_reports', body), 'repeated');
    assert.equal(await report('bounce_reports', { ...body, digest: 'b'.repeat(64) }), 'repeated');
    assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'bounced']);
    assert.deepEqual(await query('select event from webhook_deliveries where message_id = $1', id), [
      { event: 'email.bounced' },
    ]);
  });

  it('BN-8: a bounce that is reported before the delivery stands', async () => {
    const id = await inTransaction(api.store, (tx) => acceptMessage(tx, newMessage(tenant, 'x')));
    await report('bounce_reports', { ...pathOf(id, 'b@example.com'), ...said('b@example.com', SOFT) });
    const delivered = {
      id: createEventId('delivered', id, 'b@example.com'),
      messageId: id,
      recipient: 'b@example.com',
      type: 'delivered' as const,
      occurredAt: new Date().toISOString(),
      data: {},
    };
    await inTransaction(api.store, (tx) => recordEvents(tx, [delivered]));
    assert.equal(await stateOf(id), 'bounced');
    assert.deepEqual(await blocksOf('b@example.com'), []);
  });

  for (const outcome of ['delayed', 'delivered']) {
    it(`BN-6: ${outcome} is on the timeline, and no bounce`, async () => {
      const address = `${outcome}@example.com`;
      const { id } = await deliver([address]);
      await report('bounce_reports', { ...pathOf(id, address), ...said(address, HARD, outcome) });
      assert.equal(await stateOf(id), 'delivered');
      assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'reported']);
      assert.deepEqual(await blocksOf(address), []);
    });
  }

  it('BN-5, AD-11: a return path speaks for its own recipient and for a month', async () => {
    const { id } = await deliver(['mine@example.com', 'other@example.com']);
    const other = { ...pathOf(id, 'mine@example.com'), ...said('other@example.com') };
    assert.equal(await report('bounce_reports', other), 'other_recipient');
    const nobody = { ...pathOf(id, 'nobody@example.com'), ...said('nobody@example.com') };
    assert.equal(await report('bounce_reports', nobody), 'other_recipient');
    assert.equal(
      await report('bounce_reports', { ...pathOf(999_999, 'a@example.com'), ...said(undefined) }),
      'unknown_message',
    );
    await query(`update messages set created_at = now() - interval '31 days' where id = $1`, id);
    const old = { ...pathOf(id, 'mine@example.com'), ...said('mine@example.com') };
    assert.equal(await report('bounce_reports', old), 'too_old');
    assert.equal(await stateOf(id), 'delivered');
    assert.deepEqual(await blocksOf('other@example.com'), []);
  });

  it('BN-5: a Message-ID counts where the recipient’s side vouches for it, and suppresses nobody', async () => {
    const { id, messageId } = await deliver(['quoted@example.com']);
    const original = { messageId, domain: tenant.domain };
    const forged = { original, authenticatedDomains: ['evil.test'], ...said('quoted@example.com') };
    assert.equal(await report('bounce_reports', forged), 'unauthenticated');
    assert.equal(await stateOf(id), 'delivered');
    assert.equal(
      await report('bounce_reports', { ...forged, authenticatedDomains: ['mx.example.com'] }),
      'recorded',
    );
    assert.equal(await stateOf(id), 'bounced');
    assert.deepEqual(await blocksOf('quoted@example.com'), []);
  });

  it('BN-4: a complaint takes the recipient off the stream; an opt-out unsubscribes it', async () => {
    const recipients: string[] = [];
    const complaint = { recipients, reporter: 'Example FBL' };
    const { id } = await deliver(['angry@example.com']);
    const body = { ...complaint, ...pathOf(id, 'angry@example.com'), feedbackType: 'abuse' };
    assert.equal(await report('complaints', body), 'recorded');
    assert.equal(await report('complaints', body), 'repeated');
    assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'complained']);
    assert.equal(await stateOf(id), 'delivered');
    assert.deepEqual(await blocksOf('angry@example.com'), [
      { reason: 'complained', stream: 'transactional', lasts: true },
    ]);

    const second = await deliver(['leaving@example.com']);
    const leaving = { ...complaint, ...pathOf(second.id, 'leaving@example.com'), feedbackType: 'opt-out' };
    assert.equal(await report('complaints', leaving), 'recorded');
    assert.equal((await blocksOf('leaving@example.com'))[0]?.reason, 'unsubscribed');
  });

  it('BN-4: auth-failure and not-spam are no complaints', async () => {
    const { id } = await deliver(['fine@example.com']);
    for (const feedbackType of ['auth-failure', 'not-spam']) {
      const body = { ...pathOf(id, 'fine@example.com'), feedbackType, recipients: [], reporter: null };
      assert.equal(await report('complaints', body), 'recorded');
    }
    assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'reported', 'reported']);
    assert.deepEqual(await blocksOf('fine@example.com'), []);
  });

  it('BN-7: a bounce, a complaint and a vacation reply, as mails: from the message to its state', async () => {
    const address = 'whole@example.com';
    const { id } = await deliver([address]);
    const key = deriveKey(api.settings.secrets.key, 'return-path');
    const verp = createReturnPath({ messageId: id, recipient: address, domain: 'bounces.test' }, key);
    const returnPath = readReturnPath(verp, key);
    assert.ok(returnPath);
    const envelope = { sender: '', returnPath };
    const nobody = { spf: { result: 'none', domain: null }, dkim: [] };
    const from = `From: MAILER-DAEMON@example.com\nTo: ${verp}\n`;

    const vacation = Buffer.from(
      `From: ${address}\nSubject: Away\nAuto-Submitted: auto-replied\n\nBack soon\n`,
    );
    assert.equal(await readBounce(vacation, envelope, nobody), undefined);
    assert.equal(await readComplaint(vacation, envelope, nobody, key), undefined);

    const abuse = Buffer.from(
      `${from}Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\n` +
        'Feedback-Type: abuse\nUser-Agent: Example/1\n--b--\n',
    );
    const complained = await readComplaint(abuse, envelope, nobody, key);
    assert.equal(await report('complaints', complained ?? {}), 'recorded');

    const bounce = Buffer.from(
      `${from}Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n` +
        `Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; ${address}\nAction: failed\nStatus: 5.1.1\n` +
        'Diagnostic-Code: smtp; 550 5.1.1 User unknown\n--b--\n',
    );
    const bounced = await readBounce(bounce, envelope, nobody);
    assert.equal(await report('bounce_reports', bounced ?? {}), 'recorded');

    const shown = await api.app.inject({
      url: `/api/v1/messages/${id}`,
      headers: { 'mailpace-server-token': tenant.token },
    });
    const { status, timeline } = shown.json<{
      status: string;
      timeline: { event: string; data: { category?: string } }[];
    }>();
    assert.equal(status, 'bounced');
    assert.deepEqual(
      timeline.map(({ event }) => event).filter((event) => event !== 'webhook'),
      ['accepted', 'delivered', 'complained', 'bounced'],
    );
    assert.equal(timeline.at(-1)?.data.category, 'recipient-unknown');
    assert.deepEqual((await blocksOf(address)).map(({ reason }) => reason).toSorted(), [
      'bounced',
      'complained',
    ]);
  });

  it('a complaint without a return path counts from reporters that are trusted', async () => {
    const { id, messageId } = await deliver(['redacted@example.com']);
    const body = {
      original: { messageId, domain: tenant.domain },
      feedbackType: 'abuse',
      recipients: [],
      reporter: null,
    };
    assert.equal(
      await report('complaints', { ...body, authenticatedDomains: ['example.com'] }),
      'unauthenticated',
    );
    assert.equal(
      await report('complaints', { ...body, authenticatedDomains: ['fbl.validity.com'] }),
      'recorded',
    );
    assert.deepEqual(await eventsOf(id), ['accepted', 'delivered', 'complained']);
  });
});
