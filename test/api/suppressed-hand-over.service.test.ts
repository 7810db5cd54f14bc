import assert from 'node:assert/strict';
import { inTransaction } from '../../api/database.ts';
import { handOver } from '../../api/jobs/hand-over.ts';
import type { Addressed } from '../../api/mail/intake.ts';
import { addSuppression, type NewSuppression } from '../../api/models/suppression.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('the hand-over of mail to people who were suppressed meanwhile (OB-11)', () => {
  let api: TestApi;
  let tenant: Tenant;
  const handedOver: Addressed[] = [];

  before(async () => {
    api = await startTestApi('suppressed');
    tenant = await api.createTenant();
  });
  beforeEach(() => {
    handedOver.length = 0;
  });
  after(() => api.close());

  /** The mta takes everything. */
  const intake = {
    handOver: async (consignment: Addressed) => {
      handedOver.push(consignment);
      return { ok: true as const, refused: [] };
    },
    close() {},
  };

  async function accept(to: string, stream = 'transactional'): Promise<number> {
    const response = await api.app.inject(sendRequest(tenant, { to, stream }));
    assert.equal(response.statusCode, 200, response.body);
    return response.json<{ id: number }>().id;
  }

  async function suppress(address: string, stream: NewSuppression['stream'] = 'all'): Promise<void> {
    const { organizationId, domainId } = tenant;
    const row = { list: 'block', reason: 'manual', note: undefined, expiresAt: undefined } as const;
    await inTransaction(api.store, (tx) =>
      addSuppression(tx, { organizationId, domainId, address, stream, ...row }),
    );
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    const body = (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
    const recipients = body.recipients.map((one: { address: string; status: string }) => [
      one.address,
      one.status,
    ]);
    return {
      status: body.status,
      recipients,
      events: body.timeline.map((one: { event: string }) => one.event),
    };
  }

  const run = (id: number) => handOver({ ...api, intake }, id);

  it('sends to the others, and says when the list was read', async () => {
    const id = await accept('gone@example.com, ok@example.com');
    await suppress('gone@example.com');
    const before = Date.now();

    assert.equal(await run(id), 'accepted');
    assert.deepEqual(
      handedOver.map(({ recipients }) => recipients),
      [['ok@example.com']],
    );
    assert.ok((handedOver[0]?.listsReadAt ?? 0) >= before);
    assert.deepEqual((await show(id)).recipients, [
      ['gone@example.com', 'suppressed'],
      ['ok@example.com', 'queued'],
    ]);
  });

  it('ends the message where nobody is left, once', async () => {
    const id = await accept('alone@example.com');
    await suppress('alone@example.com');

    assert.equal(await run(id), 'suppressed');
    assert.equal(await run(id), 'nothing_to_do');
    assert.equal(handedOver.length, 0);
    const shown = await show(id);
    assert.deepEqual([shown.status, shown.events], ['suppressed', ['accepted', 'suppressed']]);
  });

  it('looks at the stream of the message', async () => {
    const [bulk, receipt] = [
      await accept('reader@example.com', 'bulk'),
      await accept('reader@example.com', 'transactional'),
    ];
    await suppress('reader@example.com', 'bulk');

    assert.equal(await run(bulk), 'suppressed');
    assert.equal(await run(receipt), 'accepted');
  });
});
