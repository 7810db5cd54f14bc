/**
 * JSON in, JSON out: anything else is 406 (contract 1.3), before a token is looked at; but for the routes whose
 * `config` says CSV. The real service refuses `Accept: *\/*` too; we take it, because Node's fetch and curl send it
 * unasked.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';

const CSV_TYPE = /^text\/csv\s*(;|$)/i;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer is no JSON, but what the route's schema says; whatever the client accepts, it gets that. */
    answersOtherType?: boolean;
    /** The body is CSV. */
    takesCsv?: boolean;
  }
}

/** Those whose routes take a body. */
const WRITING = new Set(['POST', 'PUT', 'PATCH']);
/** What of an Accept header lets JSON through; `q=0` would exclude it. */
const ACCEPTS_JSON =
  /(^|,)\s*(application\/json|application\/\*|\*\/\*)\s*(;(?!\s*q=0(\.0*)?\s*(,|$))[^,]*)?(,|$)/i;

export async function requireJson(
  { headers, method, routeOptions: { config } }: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const sends = WRITING.has(method) && headers['content-length'] !== '0' && hasBody(headers);
  const type = config.takesCsv ? CSV_TYPE : JSON_TYPE;
  const isRightType = !sends || type.test(headers['content-type'] ?? '');
  const isAcceptable = config.answersOtherType || ACCEPTS_JSON.test(headers.accept || '*/*');
  if (isRightType && isAcceptable) return undefined;
  return reply.code(406).send({ error: 'Invalid request format or content type' });
}

function hasBody(headers: FastifyRequest['headers']): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
