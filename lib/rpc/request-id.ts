/** One id joins the log lines of all services about one request (LG-2). */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const REQUEST_ID_HEADER = 'x-request-id';

/** What may stand in a log line or a header without escaping (LG-1). */
const SANE_REQUEST_ID = /^[A-Za-z0-9._-]{1,100}$/;

export function makeRequestId(): string {
  return randomUUID();
}

export function isSaneRequestId(value: unknown): value is string {
  return typeof value === 'string' && SANE_REQUEST_ID.test(value);
}

/** The caller's id where it is a sane one, else a new one. For Fastify's `genReqId`. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers[REQUEST_ID_HEADER];
  return isSaneRequestId(given) ? given : makeRequestId();
}
