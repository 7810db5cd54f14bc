/** What the control API says when it does not do what was asked. Every refusal is `{ error: { code, message, field? } }`. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { isTransient } from '../queue/database.ts';

interface Refusal {
  status: 400 | 401 | 404 | 409 | 422 | 503;
  message: string;
}

export const refusals = {
  unauthorized: { status: 401, message: 'The service token is missing or wrong' },
  not_found: { status: 404, message: 'There is none' },
  selector_empty: { status: 422, message: 'The selector names nothing; say all: true where all is meant' },
  zone_unknown: { status: 422, message: 'This mta has no such zone' },
  destination_invalid: { status: 422, message: 'A destination is a domain, or site:name' },
  pause_over: { status: 422, message: 'The pause would have ended already' },
  instance_alive: { status: 409, message: 'That instance is alive: it holds its lock' },
  queue_closed: { status: 503, message: 'The queue is not open: it starts, or stops, or is MongoDB' },
  database_unavailable: {
    status: 503,
    message: 'The queue database is out of reach; GET /queue/actions says how far this got',
  },
} as const satisfies Record<string, Refusal>;

export type RefusalCode = keyof typeof refusals;

export function refuse(reply: FastifyReply, code: RefusalCode): FastifyReply {
  const { status, message } = refusals[code];
  return reply.code(status).send({ error: { code, message } });
}

/** It closed while the request was under way. */
export class QueueClosed extends Error {}

export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof QueueClosed) return refuse(reply, 'queue_closed');
  if (isTransient(error) && error.statusCode === undefined) {
    request.log.warn({ err: error }, 'control.database_unavailable');
    return refuse(reply, 'database_unavailable');
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) {
    const field = error.validation?.[0]?.instancePath.slice(1).replaceAll('/', '.');
    const body = { code: 'invalid_request', message: error.message, ...(field && { field }) };
    return reply.code(400).send({ error: body });
  }
  request.log.error({ err: error }, 'control.failed');
  return reply.code(500).send({ error: { code: 'internal', message: 'Internal error; the log says more' } });
}
