import assert from 'node:assert/strict';
import { simpleParser } from 'mailparser';
import {
  countRows,
  sendRequest,
  startTestApi,
  submissionRequest,
  type Tenant,
  type TestApi,
} from './support.ts';

const CONTROLS = ['\r\nBcc: x@y', '\n', '\r', '\0', '\u2028', '\u0085', '\ud800', '\x7f'];

describe('stream, headers and metadata of a message', () => {
  let api: TestApi;
  let tenant: Tenant;

  before(async () => {
    api = await startTestApi('extras');
    tenant = await api.createTenant();
  });
  after(() => api.close());

  async function send(payload: object) {
    const response = await api.app.inject(sendRequest(tenant, payload));
    return { status: response.statusCode, body: response.json() };
  }

  async function accept(payload: object): Promise<number> {
    const { status, body } = await send(payload);
    assert.equal(status, 200, JSON.stringify(body));
    return body.id;
  }

  async function show(id: number) {
    const headers = { 'mailpace-server-token': tenant.token };
    return (await api.app.inject({ url: `/api/v1/messages/${id}`, headers })).json();
  }

  async function source(id: number): Promise<Buffer> {
    const { rows } = await api.store.pool.query<{ content: Buffer }>(
      'select content from message_sources where message_id = $1',
      [id],
    );
    return rows[0]?.content ?? Buffer.alloc(0);
  }

  async function jobPriority(id: number): Promise<number | undefined> {
    const { rows } = await api.store.pool.query<{ priority: number }>(
      `select priority from pgboss.job where name = 'hand-over' and data->>'messageId' = $1::text`,
      [String(id)],
    );
    return rows[0]?.priority;
  }

  it('are those of the request', async () => {
    const metadata = { order: '4711', 'user.name': 'Jürgen', empty: '' };
    const headers = { 'X-Campaign': 'spring', 'Feedback-ID': 'a:b:c', 'X-Name': 'Jürgen' };
    const id = await accept({ stream: 'bulk', metadata, headers });

    const message = await show(id);
    assert.deepEqual([message.stream, message.metadata], ['bulk', metadata]);
    const parsed = await simpleParser(await source(id));
    assert.deepEqual(
      ['x-campaign', 'feedback-id', 'x-name'].map((name) => parsed.headers.get(name)),
      ['spring', 'a:b:c', '=?UTF-8?Q?J=C3=BCrgen?='],
    );
    assert.equal((await source(id)).includes('4711'), false);
  });

  it('are transactional and empty where nothing is said', async () => {
    const message = await show(await accept({ stream: '', metadata: null, headers: null }));

    assert.deepEqual([message.stream, message.metadata], ['transactional', {}]);
  });

  it('let transactional mail go first to the worker', async () => {
    assert.equal(await jobPriority(await accept({ stream: 'bulk' })), -1);
    assert.equal(await jobPriority(await accept({})), 0);
  });

  describe('are refused', () => {
    const many = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, 'v']));
    const table: [string, object, string, string][] = [
      ['another stream', { stream: 'fast' }, 'stream', 'is not transactional or bulk'],
      ['a list as metadata', { metadata: ['a'] }, 'metadata', 'is not an object'],
      ['a number in metadata', { metadata: { a: 1 } }, 'metadata.a', 'is not a string'],
      ['an object in metadata', { metadata: { a: { b: 'c' } } }, 'metadata.a', 'is not a string'],
      ['a metadata key with a space', { metadata: { 'a b': 'c' } }, 'metadata', 'has an invalid key'],
      [
        'a metadata key of 41 characters',
        { metadata: { ['k'.repeat(41)]: 'c' } },
        'metadata',
        'has an invalid key',
      ],
      [
        'a long metadata value',
        { metadata: { a: 'v'.repeat(501) } },
        'metadata.a',
        'is longer than 500 characters',
      ],
      ['51 keys of metadata', { metadata: many(51) }, 'metadata', 'has more than 50 keys'],
      ['a list of headers', { headers: ['X-A: b'] }, 'headers', 'is not an object'],
      ['51 headers', { headers: many(51) }, 'headers', 'has more than 50 fields'],
      ['a header twice', { headers: { 'X-A': 'a', 'x-a': 'b' } }, 'headers.x-a', 'is given twice'],
      ['a header that is no text', { headers: { 'X-A': 1 } }, 'headers.X-A', 'is invalid'],
      ['an empty header', { headers: { 'X-A': ' ' } }, 'headers.X-A', 'is invalid'],
      ['a word no line can hold', { headers: { 'X-A': 'a'.repeat(901) } }, 'headers.X-A', 'is invalid'],
    ];
    for (const [what, payload, field, problem] of table) {
      it(`for ${what}`, async () => {
        assert.deepEqual(await send(payload), { status: 400, body: { errors: { [field]: [problem] } } });
      });
    }

    for (const name of [
      ...['From', 'to', 'CC', 'Bcc', 'Subject', 'Date', 'Message-ID', 'Reply-To', 'Sender', 'MIME-Version'],
      ...['DKIM-Signature', 'ARC-Seal', 'Authentication-Results', 'Return-Path', 'Received', 'Resent-From'],
      ...['X-Sending-Zone', 'Content-Type', 'Content-Transfer-Encoding', 'List-Unsubscribe-Post'],
      ...['X-Postern-Message', 'x-postern-anything', 'X-MailPace-Tags', 'Errors-To'],
    ]) {
      it(`for the header ${name} by its name (HD-2)`, async () => {
        assert.deepEqual(await send({ headers: { [name]: 'x' } }), {
          status: 400,
          body: { errors: { [`headers.${name}`]: ['may not be set'] } },
        });
      });
    }

    for (const name of ['a b', 'a:', '', 'X-A\r\nBcc', 'ä', 'x'.repeat(1000)]) {
      it(`for a header named ${JSON.stringify(name.slice(0, 20))} (HD-2)`, async () => {
        assert.deepEqual(await send({ headers: { [name]: 'x' } }), {
          status: 400,
          body: { errors: { headers: ['has an invalid name'] } },
        });
      });
    }

    it('for a header named __proto__ (HD-2)', async () => {
      const before = await countRows(api, 'messages');
      const { headers, payload, ...request } = sendRequest(tenant);
      const text = JSON.stringify(payload).replace(/}$/, ',"headers":{"__proto__":"x"}}');
      const response = await api.app.inject({
        ...request,
        headers: { ...headers, 'content-type': 'application/json' },
        payload: text,
      });
      assert.equal(response.statusCode, 400);
      assert.equal(await countRows(api, 'messages'), before);
    });

    it('for a control character in a value (HD-1)', async () => {
      const before = await countRows(api, 'messages');
      for (const control of CONTROLS) {
        assert.deepEqual(await send({ headers: { 'X-A': `a${control}b` } }), {
          status: 400,
          body: { errors: { 'headers.X-A': ['is invalid'] } },
        });
        assert.deepEqual(await send({ metadata: { a: `a${control}b` } }), {
          status: 400,
          body: { errors: { 'metadata.a': ['is invalid'] } },
        });
      }
      assert.equal(await countRows(api, 'messages'), before);
    });
  });

  describe('over SMTP', () => {
    async function submit(fields: string) {
      const message = `From: a@${tenant.domain}\r\nTo: b@example.com\r\n${fields}Subject: x\r\n\r\nX-Postern-Stream: kept\r\n`;
      const response = await api.app.inject(submissionRequest(api, tenant, message));
      return { status: response.statusCode, body: response.json() };
    }

    it('come as header fields, which are taken out', async () => {
      const { body } = await submit(
        'X-Postern-Stream: Bulk\r\nX-Postern-Metadata: {"order":\r\n "4711"}\r\nX-Postern-Message: 1\r\n',
      );

      const { stream, metadata } = await show(body.messageId);
      assert.deepEqual([stream, metadata], ['bulk', { order: '4711' }]);
      const text = (await source(body.messageId)).toString();
      assert.equal(text.split('\r\n\r\n')[0]?.toLowerCase().includes('x-postern'), false);
      assert.equal(text.endsWith('\r\n\r\nX-Postern-Stream: kept\r\n'), true);
    });

    it('come encoded, as mail libraries write what is not ASCII', async () => {
      const json = Buffer.from('{"name":"Jürgen"}').toString('base64');
      const { body } = await submit(`X-Postern-Metadata: =?utf-8?B?${json}?=\r\n`);

      assert.deepEqual((await show(body.messageId)).metadata, { name: 'Jürgen' });
    });

    for (const [field, text] of [
      ['X-Postern-Stream: fast', 'X-Postern-Stream is not transactional or bulk'],
      ['X-Postern-Metadata: order=4711', 'X-Postern-Metadata: metadata is not an object'],
      ['X-Postern-Metadata: {"a":1}', 'X-Postern-Metadata: metadata.a is not a string'],
      ['X-Postern-Stream: bulk\r\nx-postern-stream: bulk', 'X-Postern-Stream is given twice'],
    ] as const) {
      it(`are refused as in ${JSON.stringify(field)}`, async () => {
        const { status, body } = await submit(`${field}\r\n`);

        assert.equal(status, 422);
        assert.equal(JSON.stringify(body).includes(text), true, JSON.stringify(body));
      });
    }
  });
});
