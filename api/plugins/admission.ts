/**
 * Refuses work while there is still memory to say so (promise 6): the bodies being read and worked on at one time are
 * bounded. 503 with Retry-After, before the body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024;

/** Methods without a body to speak of. */
const READING = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Sent with every 503. Clients need not know more than that it is worth trying again. */
export const RETRY_AFTER_SECONDS = 2;

export function limitBytesInFlight(app: FastifyInstance, maxBytes = MAX_BYTES_IN_FLIGHT): void {
  const admitted = new WeakMap<FastifyRequest, number>();
  let inFlight = 0;

  app.addHook('onRequest', async (request, reply) => {
    const bytes = Number(request.headers['content-length'] ?? 0) || app.initialConfig.bodyLimit || 0;
    const size = READING.has(request.method) ? 0 : bytes;
    // One request alone always gets in, however large.
    if (size > 0 && inFlight > 0 && inFlight + size > maxBytes) return answerUnavailable(reply);
    inFlight += size;
    admitted.set(request, size);
    return undefined;
  });

  const release = async (request: FastifyRequest): Promise<void> => {
    inFlight -= admitted.get(request) ?? 0;
    admitted.delete(request);
  };
  app.addHook('onResponse', release);
  app.addHook('onRequestAbort', release);
}

export function answerUnavailable(reply: FastifyReply): FastifyReply {
  return reply.code(503).send({ error: 'Service temporarily unavailable, please try again' });
}
