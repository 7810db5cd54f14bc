import assert from 'node:assert/strict';
import fastify from 'fastify';
import { watchReplies } from './replies.ts';

const answer = { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } };

describe('the watch over answers (AP-8)', () => {
  /** @returns what the watch found when a route with this schema gave this answer */
  async function judge(response: object, status: number, body: object | undefined) {
    const { app, watch } = await watchReplies(async () => {
      const instance = fastify();
      instance.addHook('onSend', async (request, reply) => void reply.header('x-request-id', request.id));
      instance.get('/api/v1/thing', { schema: { response } }, async (_request, reply) =>
        reply.code(status).serializer(JSON.stringify).send(body),
      );
      return instance;
    });
    await app.inject('/api/v1/thing');
    await app.close();
    return watch.violations;
  }

  it('is content with what the schema allows', async () => {
    assert.deepEqual(await judge({ 200: answer, 500: { type: 'null' } }, 200, { id: 1 }), []);
    assert.deepEqual(await judge({ 200: answer, 500: { type: 'null' } }, 500, undefined), []);
  });

  it('finds a body that does not fit, a status without a schema, and a route without any', async () => {
    assert.deepEqual(await judge({ 200: answer }, 200, { id: 'x' }), [
      'GET /api/v1/thing 200: /id must be integer',
    ]);
    assert.deepEqual(await judge({ 200: answer }, 404, { error: 'x' }), [
      'GET /api/v1/thing 404: no schema names this status',
    ]);
    assert.deepEqual(await judge({}, 200, { id: 1 }), ['GET /api/v1/thing 200: no schema names this status']);
  });

  it('finds an answer without its request id', async () => {
    const { app, watch } = await watchReplies(async () => fastify());
    await app.inject('/nowhere');
    await app.close();
    assert.deepEqual(watch.violations, ['GET /nowhere: no X-Request-Id']);
  });

  it('finds a column that no schema names', async () => {
    assert.deepEqual(await judge({ 200: answer }, 200, { id: 1, password: 'hunter2' }), [
      'GET /api/v1/thing 200: /password is not in the schema',
    ]);
  });
});
