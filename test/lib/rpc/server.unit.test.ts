import assert from 'node:assert/strict';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import Type from 'typebox';
import { defineContract } from '../../../lib/rpc/contracts/contract.ts';
import {
  RpcRefusal,
  registerContract,
  requireServiceToken,
  rpcServerOptions,
} from '../../../lib/rpc/server.ts';
import { serviceToken } from './support.ts';

const findThing = defineContract({
  name: 'findThing',
  method: 'GET',
  path: '/rpc/v1/things/:name',
  params: Type.Object({ name: Type.String({ maxLength: 320 }), limit: Type.Optional(Type.Integer()) }),
  body: Type.Undefined(),
  reply: Type.Object({ name: Type.String(), limit: Type.Optional(Type.Integer()) }),
  isIdempotent: true,
});

const createThing = defineContract({
  name: 'createThing',
  method: 'POST',
  path: '/rpc/v1/things',
  params: Type.Object({}),
  body: Type.Object({
    id: Type.String({ format: 'uuid' }),
    at: Type.String({ format: 'date-time' }),
    to: Type.Array(Type.Object({ address: Type.String() })),
  }),
  reply: Type.Object({ id: Type.String() }),
  isIdempotent: false,
});

const thing = {
  id: '3f0c2b0e-6f0c-4d5e-9a51-0c9d6c3f7a11',
  at: '2026-11-24T03:15:13.332Z',
  to: [{ address: 'a@b.test' }],
};

describe('routes made from contracts', () => {
  const lines: string[] = [];
  let app: FastifyInstance;
  let reply: unknown;
  let failure: Error | undefined;

  before(() => {
    const loggerInstance: FastifyBaseLogger = pino({ level: 'error' }, { write: (line) => lines.push(line) });
    app = fastify({ ...rpcServerOptions, loggerInstance });
    app.addHook('onRequest', requireServiceToken(serviceToken));
    registerContract(app, findThing, async ({ params }) => (params.name === 'none' ? null : params));
    const answer = async () => {
      if (failure) throw failure;
      return reply as { id: string };
    };
    registerContract(app, createThing, answer, { maxBodyBytes: 10_000 });
  });
  beforeEach(() => {
    lines.length = 0;
    reply = { id: 'x' };
    failure = undefined;
  });
  after(() => app.close());

  const authorization = `Bearer ${serviceToken}`;
  const get = (url: string, headers: Record<string, string> = {}) =>
    app.inject({ url, headers: { authorization, ...headers } });
  const post = (payload: string | object) =>
    app.inject({
      method: 'POST',
      url: '/rpc/v1/things',
      headers: { authorization, 'content-type': 'application/json' },
      payload,
    });

  it('hands the handler params of the path and the query, in their types', async () => {
    assert.deepEqual((await get('/rpc/v1/things/a%2Fb?limit=3')).json(), { name: 'a/b', limit: 3 });
  });

  it('takes params as long as an address, escaped', async () => {
    const name = 'ä'.repeat(160);
    assert.equal((await get(`/rpc/v1/things/${encodeURIComponent(name)}`)).json().name, name);
  });

  it('answers 404 not_found when there is none', async () => {
    const response = await get('/rpc/v1/things/none');
    assert.equal(response.statusCode, 404);
    assert.equal(response.json().error.code, 'not_found');
  });

  for (const [name, value] of Object.entries({
    missing: undefined,
    wrong: 'Bearer wrong',
    empty: 'Bearer ',
    'of another scheme': `Basic ${serviceToken}`,
    'with more behind it': `Bearer ${serviceToken}x`,
  })) {
    it(`answers 401 to a service token that is ${name}`, async () => {
      const response = await app.inject({
        url: '/rpc/v1/things/a',
        headers: value ? { authorization: value } : {},
      });
      assert.equal(response.statusCode, 401);
      assert.equal(response.json().error.code, 'unauthorized');
    });
  }

  it('has no service without a token to ask for', () => {
    assert.throws(() => requireServiceToken(''));
  });

  for (const [field, body] of Object.entries({
    'to.0.address': { ...thing, to: [{ address: 7 }] },
    at: { ...thing, at: 'yesterday' },
    id: { ...thing, id: '7' },
    to: { id: thing.id, at: thing.at },
  })) {
    it(`answers 400 and names ${field}`, async () => {
      const response = await post(body);
      assert.equal(response.statusCode, 400);
      assert.equal(response.json().error.code, 'invalid_request');
      assert.equal(response.json().error.field, field);
    });
  }

  it('answers 400 to a body that is no JSON, none, or poisons prototypes (AP-1)', async () => {
    for (const payload of ['{"id":', 'null', '[]', '{"__proto__":{"x":1}}', '"text"']) {
      const response = await post(payload);
      assert.equal(response.statusCode, 400, payload);
      assert.equal(response.json().error.code, 'invalid_request');
    }
  });

  it("answers 413 past the contract's own limit", async () => {
    const response = await post({ ...thing, to: [{ address: 'a'.repeat(10_000) }] });
    assert.equal(response.statusCode, 413);
    assert.equal(response.json().error.code, 'body_too_large');
  });

  it('answers 422 with what a refusal says, and does not log it as an error', async () => {
    failure = new RpcRefusal('sender_not_allowed', 'Not your domain', 'envelope.from');
    const response = await post(thing);
    assert.equal(response.statusCode, 422);
    assert.deepEqual(response.json(), {
      error: { code: 'sender_not_allowed', message: 'Not your domain', field: 'envelope.from' },
    });
    assert.deepEqual(lines, []);
  });

  it('answers 500 without details when a handler throws, and logs them with the request id (AP-6)', async () => {
    failure = new Error('password is hunter2');
    const response = await post(thing);
    assert.equal(response.statusCode, 500);
    assert.doesNotMatch(response.body, /hunter2/);
    assert.match(lines.join(), /hunter2/);
    assert.match(lines.join(), new RegExp(String(response.headers['x-request-id'])));
  });

  it('passes on a 503', async () => {
    failure = Object.assign(new Error('overloaded'), { statusCode: 503 });
    assert.equal((await post(thing)).statusCode, 503);
  });

  it('answers 500 and logs when a handler breaks its contract', async () => {
    reply = { id: 7 };
    assert.equal((await post(thing)).statusCode, 500);
    assert.match(lines.join(), /createThing: the reply breaks its contract: id must be string/);
  });

  it('lets no column out that the contract does not name (AP-8)', async () => {
    reply = { id: 'x', password: 'hunter2' };
    assert.deepEqual((await post(thing)).json(), { id: 'x' });
  });

  it('keeps a sane request id and makes a new one for any other (LG-1)', async () => {
    const idOf = async (given: string) =>
      (await get('/rpc/v1/things/a', { 'x-request-id': given })).headers['x-request-id'];
    assert.equal(await idOf('gw-1.2_3'), 'gw-1.2_3');
    for (const bad of ['', 'a b', 'x'.repeat(101), '"},{"', '\u001b[31m']) {
      assert.match(String(await idOf(bad)), /^[0-9a-f-]{36}$/);
    }
  });

  it('refuses a Fastify instance whose limits do not fit', () => {
    assert.throws(() => registerContract(fastify(), findThing, async () => null), /rpcServerOptions/);
  });
});
