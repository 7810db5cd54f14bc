import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import Type from 'typebox';
import { defineContract } from '../../../lib/rpc/contracts/contract.ts';
import { createSubmission } from '../../../lib/rpc/contracts/submissions.ts';
import { registerContract } from '../../../lib/rpc/server.ts';
import { testRedisUrl } from '../../support/postgres.ts';
import { createTestClient, defineLookup, startApi, type TestClient } from './support.ts';

const findThing = defineLookup({ freshMs: 0, staleMs: 0, negativeMs: 0 });
const createThing = defineContract({
  name: 'createThing',
  method: 'POST',
  path: '/rpc/v1/things',
  params: Type.Object({}),
  body: Type.Object({ count: Type.Integer() }),
  reply: Type.Object({ id: Type.Integer() }),
  isIdempotent: false,
});
const createThingOnce = { ...createThing, name: 'createThingOnce', isIdempotent: true };

/** The other end of the wire, as bad as a test wants it. */
describe('calls over HTTP', () => {
  let server: Server;
  let client: TestClient;
  let requests: IncomingMessage[];
  let answer: (response: ServerResponse, attempt: number, request: IncomingMessage) => void;

  beforeEach(async () => {
    requests = [];
    server = createServer((request, response) => {
      request.resume();
      answer(response, requests.push(request), request);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    client = createTestClient({ url: `http://127.0.0.1:${port}`, redisUrl: testRedisUrl() });
  });
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    server.close();
  });

  const json = (response: ServerResponse, status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  const find = () => client.call(findThing, { params: { id: 'a' }, requestId: 'test-1' });
  const create = (contract: typeof createThing) => client.call(contract, { params: {}, body: { count: 1 } });

  it('carries the token and the request id', async () => {
    answer = (response) => json(response, 200, { text: 'x' });
    await find();
    assert.match(requests[0]?.headers.authorization ?? '', /^Bearer [0-9a-f]{48}$/);
    assert.equal(requests[0]?.headers['x-request-id'], 'test-1');
  });

  it('keeps the connection', async () => {
    const ports = new Set<number | undefined>();
    answer = (response, _, request) => {
      ports.add(request.socket.remotePort);
      json(response, 200, { id: 1 });
    };
    for (let i = 0; i < 3; i++) await create(createThing);
    assert.equal(ports.size, 1);
  });

  for (const status of [502, 503, 504]) {
    it(`tries an idempotent call twice more after ${status}`, async () => {
      answer = (response, attempt) => json(response, attempt < 3 ? status : 200, { id: attempt });
      const result = await create(createThingOnce);
      assert.ok(result.ok);
      assert.equal(result.value.id, 3);
    });
  }

  it('tries an idempotent call again after a broken connection', async () => {
    answer = (response, attempt) =>
      attempt === 1 ? response.destroy() : json(response, 200, { id: attempt });
    const result = await create(createThingOnce);
    assert.ok(result.ok);
  });

  it('gives up after three attempts, with the same request id in each', async () => {
    answer = (response) => json(response, 503, {});
    assert.deepEqual(await find(), { ok: false, reason: 'unavailable', message: 'HTTP 503' });
    assert.deepEqual(
      requests.map((one) => one.headers['x-request-id']),
      ['test-1', 'test-1', 'test-1'],
    );
  });

  it('never sends a call again that is not idempotent', async () => {
    answer = (response) => json(response, 503, {});
    assert.equal((await create(createThing)).ok, false);
    assert.equal(requests.length, 1);
    answer = (response) => response.destroy();
    assert.equal((await create(createThing)).ok, false);
    assert.equal(requests.length, 2);
  });

  it('does not try again after 500', async () => {
    answer = (response) => json(response, 500, {});
    assert.equal((await find()).ok, false);
    assert.equal(requests.length, 1);
  });

  it('hands on what a refusal says', async () => {
    answer = (response) => json(response, 422, { error: { code: 'c', message: 'm', field: 'f' } });
    assert.deepEqual(await find(), { ok: false, reason: 'refused', code: 'c', message: 'm', field: 'f' });
  });

  for (const [name, status, body] of [
    ['a wrong service token', 401, { error: { code: 'unauthorized', message: 'no' } }],
    ['too many requests', 429, { error: { code: 'too_many', message: 'no' } }],
    [
      'a route that this api does not know',
      404,
      { message: 'Route not found', error: 'Not Found', statusCode: 404 },
    ],
    ['a redirect', 302, {}],
    ['a 4xx of somebody else', 400, { oops: true }],
  ] as const) {
    it(`takes ${name} for no answer`, async () => {
      answer = (response) => json(response, status, body);
      const result = await find();
      assert.ok(!result.ok);
      assert.equal(result.reason, 'unavailable');
    });
  }

  for (const [name, body] of Object.entries({
    'no JSON': '<html>',
    'another schema': '{"text":7}',
    'half a reply': '{"text":"x',
    nothing: '',
  })) {
    it(`does not pass on ${name}, and counts it (RP-2)`, async () => {
      answer = (response) => response.writeHead(200).end(body);
      const result = await find();
      assert.ok(!result.ok);
      assert.equal(result.reason, 'unavailable');
      assert.equal(await client.count('errors', { kind: 'invalid_reply' }), 1);
    });
  }

  it('stops reading a reply without end (RP-2)', async () => {
    const chunk = Buffer.alloc(1_000_000, ' ');
    answer = (response) => {
      let isStopped = false;
      response.writeHead(200);
      const more = () => {
        while (!isStopped && response.write(chunk));
      };
      response.on('drain', more).on('close', () => {
        isStopped = true;
      });
      more();
    };
    const startedAt = performance.now();
    const result = await find();
    assert.ok(!result.ok);
    assert.equal(result.reason, 'unavailable');
    assert.ok(performance.now() - startedAt < 4_000);
  });

  it('waits five seconds for a whole answer, however busily it drips in', async () => {
    answer = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 200);
      response.on('close', () => clearInterval(timer));
    };
    const startedAt = performance.now();
    const result = await find();
    assert.ok(!result.ok);
    assert.equal(result.reason, 'unavailable');
    const elapsed = performance.now() - startedAt;
    assert.ok(elapsed > 4_900 && elapsed < 6_000, `${elapsed} ms`);
  });

  it('does not send what the contract refuses', async () => {
    const result = await client.call(createThing, { params: {}, body: { count: 1.5 } });
    assert.deepEqual(result, {
      ok: false,
      reason: 'refused',
      code: 'invalid_request',
      field: 'count',
      message: 'must be integer',
    });
    for (const id of ['', '.', '..']) {
      assert.equal((await client.call(findThing, { params: { id } })).ok, false);
    }
    assert.equal(requests.length, 0);
  });

  it('fills the path with escaped params', async () => {
    answer = (response) => json(response, 200, { text: 'x' });
    await client.call(findThing, { params: { id: 'a/../b?c#d%20$&' } });
    assert.equal(requests[0]?.url, `/rpc/v1/${findThing.name}/a%2F..%2Fb%3Fc%23d%2520%24%26`);
  });
});

describe('a submission of the largest size', () => {
  it('arrives whole', async () => {
    const api = await startApi((app) =>
      registerContract(app, createSubmission, async ({ body }) => ({ messageId: body.message.length }), {
        maxBodyBytes: 50_000_000,
      }),
    );
    const client = createTestClient({ url: api.url, redisUrl: testRedisUrl() });
    const message = Buffer.alloc(31_457_280, 'a').toString('base64');
    const result = await client.call(createSubmission, {
      params: {},
      body: {
        submissionId: 'session-1',
        tokenId: 1,
        envelope: { from: '', to: ['a@b.test'] },
        message,
        client: { address: '192.0.2.1', helo: 'client.test', tls: null },
      },
    });
    assert.ok(result.ok);
    assert.equal(result.value.messageId, message.length);
    await client.close();
    await api.stop();
  });
});
