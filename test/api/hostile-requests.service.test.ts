/** What nobody sends by mistake. The cases that are about one route stand with the tests of that route. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { sendRaw } from '../support/raw-http.ts';
import { createTestSettings } from '../support/settings.ts';
import { sendRequest, startTestApi, type Tenant, type TestApi } from './support.ts';

const HEADERS_TIMEOUT_MS = 250;
const REQUEST_TIMEOUT_MS = 500;

describe('hostile requests', () => {
  let api: TestApi;
  let tenant: Tenant;
  let port = 0;
  let logged = '';

  before(async () => {
    const stream = new Writable({
      write(chunk, _encoding, done) {
        logged += String(chunk);
        done();
      },
    });
    api = await startTestApi(
      'hostile',
      {
        api: { headersTimeoutMs: HEADERS_TIMEOUT_MS, requestTimeoutMs: REQUEST_TIMEOUT_MS },
        limits: { maxMessageBytes: 100_000, addressFailuresPerMinute: 100_000 },
      },
      (url) => url,
      pino({ level: 'warn' }, stream),
    );
    tenant = await api.createTenant();
    const address = await api.app.listen({ host: '127.0.0.1', port: 0 });
    port = Number(new URL(address).port);
  });
  after(() => api.close());

  const head = (...lines: string[]) =>
    [
      'POST /api/v1/send HTTP/1.1',
      'Host: x',
      `MailPace-Server-Token: ${tenant.token}`,
      ...lines,
      '',
      '',
    ].join('\r\n');

  describe('bodies (AP-1)', () => {
    it('413 for a chunked body that does not end, long before it could', async () => {
      const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
      const endless = function* () {
        yield head('Content-Type: application/json', 'Transfer-Encoding: chunked');
        for (let count = 0; count < 1_000; count++) yield chunk;
      };
      const { statuses } = await sendRaw(port, endless());
      assert.deepEqual(statuses, [413]);
    });

    it('413 for one byte above the limit, 400 for one that is just in it and no JSON', async () => {
      const limit = api.app.initialConfig.bodyLimit ?? 0;
      for (const [bytes, status] of [
        [limit, 400],
        [limit + 1, 413],
      ] as const) {
        const headers = { 'content-type': 'application/json' };
        const request = { ...sendRequest(tenant, {}, headers), payload: 'x'.repeat(bytes) };
        assert.equal((await api.app.inject(request)).statusCode, status);
      }
    });

    it('400 for a prototype in any place of a body that is read', async () => {
      for (const payload of [
        '{"domain":{"__proto__":{"url":"a.test"}}}',
        '{"domain":{"url":"a.test","constructor":{"prototype":{"x":1}}}}',
      ]) {
        const headers = {
          'mailpace-organization-token': tenant.organizationToken,
          'content-type': 'application/json',
        };
        const response = await api.app.inject({ method: 'POST', url: '/api/v1/domains', headers, payload });
        assert.deepEqual(
          [response.statusCode, response.json()],
          [400, { error: 'Request body is not valid JSON' }],
        );
      }
    });

    it('answers a body of many keys, and one of deep JSON, within a second', async () => {
      const keys = Array.from({ length: 10_000 }, (_, index) => `"k${index}":1`).join(',');
      for (const payload of [`{${keys}}`, `{"to":${'['.repeat(50_000)}${']'.repeat(50_000)}}`]) {
        const startedAt = performance.now();
        const headers = { 'content-type': 'application/json' };
        const { statusCode } = await api.app.inject({ ...sendRequest(tenant, {}, headers), payload });
        assert.equal(statusCode, 400);
        assert.ok(performance.now() - startedAt < 1_000);
      }
    });
  });

  describe('slow clients (AP-2)', () => {
    it('are cut off when the header does not come', async () => {
      const { statuses, ms } = await sendRaw(port, ['GET /health HTTP/1.1\r\nHost: x\r\nX-A: ']);
      assert.deepEqual(statuses, [408]);
      assert.ok(ms < 2_000, String(ms));
    });

    it('are cut off when the body does not come', async () => {
      const lines = head('Content-Type: application/json', 'Content-Length: 1000');
      const { statuses, ms } = await sendRaw(port, [`${lines}{`]);
      assert.deepEqual(statuses, [408]);
      assert.ok(ms < 3_000, String(ms));
    });

    it('have 15 s for the header and 60 s for all of a request where nothing else is set', () => {
      const { headersTimeoutMs, requestTimeoutMs } = createTestSettings().api;
      assert.deepEqual([headersTimeoutMs, requestTimeoutMs], [15_000, 60_000]);
      assert.deepEqual(
        [api.app.server.headersTimeout, api.app.server.requestTimeout],
        [HEADERS_TIMEOUT_MS, REQUEST_TIMEOUT_MS],
      );
    });
  });

  describe('requests that two servers read differently (AP-5)', () => {
    const smuggled = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const [what, lines, body] of [
      [
        'Content-Length and Transfer-Encoding',
        ['Content-Length: 4', 'Transfer-Encoding: chunked'],
        '0\r\n\r\n',
      ],
      ['two lengths', ['Content-Length: 0', `Content-Length: ${smuggled.length}`], ''],
      ['a coding after chunked', ['Transfer-Encoding: chunked, x'], '0\r\n\r\n'],
      ['a coding that is not quite chunked', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
      ['a length with a sign', ['Content-Length: +0'], ''],
      ['a space before the colon', [`Content-Length : ${smuggled.length}`], ''],
      ['a folded field', ['X-A: b', ' Content-Length: 0'], ''],
    ] as const) {
      it(`400 and closed: ${what}`, async () => {
        const { statuses } = await sendRaw(port, [`${head(...lines)}${body}${smuggled}`]);
        assert.deepEqual(statuses, [400]);
      });
    }
  });

  it('AP-4 repeats no Host and no X-Forwarded-Host anywhere', async () => {
    const headers = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'gopher',
    };
    for (const url of ['/api/v1/openapi.json', '/api/v1/reference', '/api/v1/nowhere', '/health', '/']) {
      const response = await api.app.inject({ url, headers });
      assert.doesNotMatch(JSON.stringify(response.headers) + response.body, /evil\.example|gopher/, url);
    }
  });

  it('AP-6 say nothing of an error in a handler; the log has it with the request id', async () => {
    await api.store.pool.query('alter table audit_entries rename to hidden_entries');
    const response = await api.app.inject({
      url: '/api/v1/organization/audit_entries',
      headers: { 'mailpace-organization-token': tenant.organizationToken },
    });
    await api.store.pool.query('alter table hidden_entries rename to audit_entries');

    assert.deepEqual([response.statusCode, response.body], [500, '']);
    const line = logged.split('\n').find((one) => one.includes('request.failed')) ?? '';
    const { reqId, err } = JSON.parse(line) as { reqId: string; err: { stack: string } };
    assert.equal(reqId, response.headers['x-request-id']);
    assert.match(err.stack, /audit_entries.*\n\s+at /);
  });

  describe('operators and SQL in place of values (AU-10)', () => {
    const payloads = [
      '{"$gt":""}',
      "' or 1=1--",
      '%00',
      '\\u0000',
      '1; drop table domains; --',
      '[object Object]',
    ];

    for (const header of ['mailpace-server-token', 'mailpace-organization-token', 'postern-operator-token']) {
      it(`are no token: ${header}`, async () => {
        const url = { 'mailpace-server-token': '/messages', 'mailpace-organization-token': '/domains' };
        const path = url[header as keyof typeof url] ?? '/organizations';
        for (const payload of payloads) {
          const { statusCode } = await api.app.inject({
            url: `/api/v1${path}`,
            headers: { [header]: payload },
          });
          assert.ok(statusCode === 400 || statusCode === 401, `${payload}: ${statusCode}`);
        }
      });
    }

    it('are no id', async () => {
      const headers = { 'mailpace-organization-token': tenant.organizationToken };
      for (const payload of [...payloads.map(encodeURIComponent), '%00', '1%00']) {
        for (const path of [`/domains/${payload}`, `/messages/${payload}`, `/suppressions/${payload}`]) {
          assert.equal((await api.app.inject({ url: `/api/v1${path}`, headers })).statusCode, 404, path);
        }
      }
    });

    it('are no value of a filter or a page', async () => {
      const organization = { 'mailpace-organization-token': tenant.organizationToken };
      for (const payload of payloads.map(encodeURIComponent)) {
        for (const query of [
          `messages?status=${payload}`,
          `messages?cursor=${payload}`,
          'messages?recipient[$gt]=',
          `domains?sort=${payload}`,
          `suppressions?cursor=${payload}`,
          `organization/audit_entries?before=${payload}`,
        ]) {
          const { statusCode } = await api.app.inject({ url: `/api/v1/${query}`, headers: organization });
          const isIgnored = query.includes('[$gt]'); // an unknown key, not an operator
          assert.ok(
            isIgnored ? statusCode === 200 : [400, 422].includes(statusCode),
            `${query}: ${statusCode}`,
          );
        }
      }
    });

    it('are no field of a body', async () => {
      const request = (url: string, payload: object): InjectOptions => ({
        method: 'POST',
        url: `/api/v1${url}`,
        headers: { 'mailpace-organization-token': tenant.organizationToken },
        payload,
      });
      const operator = { $gt: '' };
      for (const asked of [
        sendRequest(tenant, { from: operator }),
        sendRequest(tenant, { to: operator }),
        request('/domains', { domain: { url: operator } }),
        request('/domains', { domain: operator }),
        request('/suppressions', { address: operator }),
        request('/suppressions', { address: "' or 1=1--@example.com" }),
      ]) {
        const { statusCode, body } = await api.app.inject(asked);
        assert.ok(statusCode === 400 || statusCode === 422, body);
      }
      const { rows } = await api.store.pool.query('select from suppressions');
      assert.equal(rows.length, 0);
    });
  });

  it('AU-11 see no secret in what is open to everybody', async () => {
    const { secrets, database } = api.settings;
    const given = Object.values(secrets).filter((secret) => secret !== '');
    const hidden = [...given, database.url, tenant.token];
    for (const url of ['/health', '/metrics', '/api/v1/openapi.json', '/api/v1/nowhere', '/api/v1/domains']) {
      const { body } = await api.app.inject(url);
      for (const secret of hidden) assert.equal(body.includes(secret), false, url);
    }
    for (const secret of hidden) assert.equal(logged.includes(secret), false);
  });
});
