import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { startTestApi, type TestApi } from './support.ts';

interface Operation {
  operationId: string;
  security: object[];
  responses: Record<string, { description: string }>;
}

describe('the description of the API', () => {
  let api: TestApi;
  let document: { openapi: string; paths: Record<string, Record<string, Operation>> };

  before(async () => {
    api = await startTestApi('openapi');
    document = (await api.app.inject('/api/v1/openapi.json')).json();
  });
  after(() => api.close());

  it('is OpenAPI 3.1, of every public route and of no other', async () => {
    assert.equal(document.openapi, '3.1.0');
    assert.deepEqual(await new Validator().validate(structuredClone(document)), { valid: true });
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const registered = api.watch.routes
      .filter(({ method, url }) => method !== 'HEAD' && url.startsWith('/api/v1/'))
      .filter(({ url }) => !url.startsWith('/api/v1/reference'))
      .map(({ method, url }) => `${method} ${url.replace(/:(\w+)/g, '{$1}')}`);
    assert.deepEqual(described.sort(), [...new Set(registered)].sort());
  });

  it('names each operation once, what opens it, and what it may answer (AP-8)', () => {
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
    const ids = operations.map(({ operationId }) => operationId);
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      [],
    );
    for (const { operationId, security, responses } of operations) {
      assert.equal(security.length > 0, operationId !== 'describeApi', operationId);
      const codes = Object.keys(responses);
      assert.equal(
        codes.some((code) => code.startsWith('2')),
        true,
        operationId,
      );
      for (const code of ['429', '500', '503']) assert.ok(codes.includes(code), `${operationId}: ${code}`);
    }
  });

  it('has a page to read, which loads nothing from elsewhere', async () => {
    const page = await api.app.inject('/api/v1/reference/');
    assert.equal(page.statusCode, 200);
    const loaded = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? '');
    assert.equal(loaded.length >= 4, true, page.body);
    for (const url of loaded) {
      const path = new URL(url, 'http://localhost/api/v1/reference/');
      assert.equal(path.origin, 'http://localhost', url);
      assert.equal((await api.app.inject(path.pathname)).statusCode, 200, url);
    }
    const policy = String(page.headers['content-security-policy']);
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.equal(/https?:|\*/.test(policy), false, policy);
    const initializer = await api.app.inject('/api/v1/reference/static/swagger-initializer.js');
    assert.match(initializer.body, /"validatorUrl":null/);
  });
});

describe('what browsers are told', () => {
  let api: TestApi;

  before(async () => {
    api = await startTestApi('headers');
  });
  after(() => api.close());

  for (const url of ['/api/v1/domains', '/api/v1/openapi.json', '/api/v1/nowhere', '/health']) {
    it(`nobody frames, sniffs or embeds ${url}`, async () => {
      const { headers } = await api.app.inject(url);
      assert.match(String(headers['content-security-policy']), /default-src 'none'.*frame-ancestors 'none'/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['x-frame-options'], 'SAMEORIGIN');
      assert.equal(headers['referrer-policy'], 'no-referrer');
      assert.match(String(headers['strict-transport-security']), /^max-age=31536000/);
      assert.equal(headers['x-powered-by'], undefined);
    });
  }

  it('AP-9 allows no foreign page to ask, and sets no cookie', async () => {
    const origin = { origin: 'https://evil.example', 'access-control-request-method': 'POST' };
    for (const method of ['GET', 'OPTIONS'] as const) {
      const { headers } = await api.app.inject({ method, url: '/api/v1/domains', headers: origin });
      assert.deepEqual(
        Object.keys(headers).filter((name) => /^access-control-|^set-cookie$/.test(name)),
        [],
      );
    }
  });
});
