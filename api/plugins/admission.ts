/**
 * Refuses work while there is still memory to say so (promise 6): the bodies being read and worked on at one time are
 * bounded, and so is what is loaded to be answered. 503 with Retry-After, before the body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024;
/** Apart from those that come in: whoever reads large messages keeps nobody from sending. */
const MAX_BYTES_LOADED = 256 * 1024 * 1024;

declare module 'fastify' {
  interface FastifyRequest {
    /** Whether there is room to load so many bytes; they count until the request is answered. */
    admitBytes(bytes: number): boolean;
  }
}

/** Methods without a body to speak of. */
const READING = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Sent with every 503. Clients need not know more than that it is worth trying again. */
export const RETRY_AFTER_SECONDS = 2;

export const UNAVAILABLE = { error: 'Service temporarily unavailable, please try again' };

export function limitBytesInFlight(app: FastifyInstance, maxBytes = MAX_BYTES_IN_FLIGHT): void {
  const bodies = createBudget(maxBytes);
  const loaded = createBudget(MAX_BYTES_LOADED);

  app.decorateRequest('admitBytes', function (bytes) {
    return loaded.admit(this, bytes);
  });
  app.addHook('onRequest', async (request, reply) => {
    const bytes = Number(request.headers['content-length'] ?? 0) || app.initialConfig.bodyLimit || 0;
    const size = READING.has(request.method) ? 0 : bytes;
    return bodies.admit(request, size) ? undefined : answerUnavailable(reply);
  });

  const release = async (request: FastifyRequest): Promise<void> => {
    bodies.release(request);
    loaded.release(request);
  };
  app.addHook('onResponse', release);
  app.addHook('onRequestAbort', release);
}

export function answerUnavailable(reply: FastifyReply): FastifyReply {
  return reply.code(503).send(UNAVAILABLE);
}

function createBudget(maxBytes: number) {
  const admitted = new WeakMap<FastifyRequest, number>();
  let inFlight = 0;
  return {
    admit(request: FastifyRequest, size: number): boolean {
      // One request alone always gets in, however large.
      if (size > 0 && inFlight > 0 && inFlight + size > maxBytes) return false;
      inFlight += size;
      admitted.set(request, (admitted.get(request) ?? 0) + size);
      return true;
    },
    release(request: FastifyRequest): void {
      inFlight -= admitted.get(request) ?? 0;
      admitted.delete(request);
    },
  };
}
