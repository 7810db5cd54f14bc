import assert from 'node:assert/strict';
import { countRows, startTestApi, type Tenant, type TestApi } from './support.ts';

describe('POST /api/v1/send/batch', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('batch', {
      limits: { tokenMessagesPerMinute: 3_000, maxMessageBytes: 200_000 },
    });
  });
  beforeEach(async () => {
    tenant = await api.createTenant();
  });
  after(() => api.close());

  const mail = (payload: object = {}) => ({
    from: `a@${tenant.domain}`,
    to: 'b@example.com',
    textbody: 'Hello',
    ...payload,
  });

  async function send(payload: unknown, headers: object = {}) {
    const response = await api.app.inject({
      method: 'POST',
      url: '/api/v1/send/batch',
      headers: { 'mailpace-server-token': tenant.token, ...headers },
      payload: payload as object,
    });
    return { status: response.statusCode, headers: response.headers, body: response.json() };
  }

  const count = async () => [await countRows(api, 'messages'), await countRows(api, 'pgboss.job')];

  it('takes each by itself, and answers each as /send would', async () => {
    await api.app.inject({
      method: 'POST',
      url: '/api/v1/suppressions',
      headers: { 'mailpace-server-token': tenant.token },
      payload: { address: 'gone@example.com' },
    });
    const [messages = 0] = await count();
    const { status, body } = await send({
      messages: [
        mail(),
        mail({ to: 'nobody' }),
        mail({ from: 'a@other.test' }),
        'no object',
        mail({ cc: 'gone@example.com' }),
        mail({ subject: 'last' }),
      ],
    });

    assert.equal(status, 200);
    const [first, , , , , last] = body.results;
    assert.equal(typeof first.id, 'number');
    assert.deepEqual(body.results, [
      { status: 'pending', id: first.id },
      { status: 'refused', code: 400, errors: { to: ['is invalid'] } },
      {
        status: 'refused',
        code: 403,
        error: 'Verified domain does not match domain in From address of email',
      },
      { status: 'refused', code: 400, error: 'Request body is not a JSON object' },
      { status: 'refused', code: 400, errors: { cc: ['contains a blocked address'] } },
      { status: 'pending', id: last.id },
    ]);
    assert.equal((await count())[0], messages + 2);
  });

  it('ID-9 sends 497 of 500 with 3 bad ones, and none twice when it is asked again', async () => {
    const messages = Array.from({ length: 500 }, (_, n) =>
      mail({ to: n % 200 === 7 ? 'bad' : `u${n}@example.com` }),
    );
    const before = await count();
    const first = await send({ messages }, { 'idempotency-key': 'batch' });
    const after = await count();
    const second = await send({ messages }, { 'idempotency-key': 'batch' });

    assert.equal(first.status, 200);
    const ids = first.body.results.flatMap(({ id }: { id?: number }) => id ?? []);
    assert.equal(new Set(ids).size, 497);
    assert.deepEqual(
      after,
      before.map((number) => number + 497),
    );
    assert.deepEqual([second.status, second.headers['idempotent-replayed']], [200, 'true']);
    assert.deepEqual(second.body, first.body);
    assert.deepEqual(await count(), after);
  });

  it('is 400 when nothing is taken, and keeps nothing under the key', async () => {
    const key = { 'idempotency-key': 'none' };
    const { status, body } = await send({ messages: [mail({ to: 'nobody' })] }, key);
    assert.equal(status, 400);
    assert.deepEqual(body, { results: [{ status: 'refused', code: 400, errors: { to: ['is invalid'] } }] });
    assert.equal((await send({ messages: [mail()] }, key)).status, 200);
  });

  for (const [what, payload] of [
    ['a list', []],
    ['no messages', {}],
    ['an empty list', { messages: [] }],
    ['501 messages', { messages: Array.from({ length: 501 }, () => ({})) }],
    ['messages that are no list', { messages: 'x' }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      assert.deepEqual((await send(payload)).body, {
        errors: { messages: ['is not a list of 1 to 500 messages'] },
      });
    });
  }

  it('AP-1 refuses messages that are too large together, and takes none of them', async () => {
    const before = await count();
    const { status, body } = await send({
      messages: [mail({ textbody: 'x'.repeat(120_000) }), mail({ textbody: 'x'.repeat(120_000) })],
    });
    assert.deepEqual(
      [status, body],
      [413, { error: 'The messages exceed the maximum size of 30 MB together' }],
    );
    assert.deepEqual(await count(), before);
  });

  it('RS-5 counts each message for the rate limit', async () => {
    const messages = Array.from({ length: 3 }, () => mail());
    const { headers } = await send({ messages });
    assert.equal(headers['ratelimit-remaining'], '2997');
  });
});
