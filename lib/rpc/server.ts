/**
 * The server side of RPC: routes made from contracts.
 *
 * Replies: 200 the contract's reply; 404 `not_found` (the handler returned null); 422 a refusal; 400
 * `invalid_request` with the field; 401 without the service token; 500 (or an error's own 503) without details
 * when a handler throws or breaks its own contract. Every error is `{ error: { code, message, field? } }`.
 */
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Value from 'typebox/value';
import { isSameSecret } from '../secrets.ts';
import { readTraceparent, TRACEPARENT_HEADER } from '../tracing/tracer.ts';
import type { BodyOf, Contract, ParamsOf, ReplyOf } from './contracts/contract.ts';
import { REQUEST_ID_HEADER, requestIdOf } from './request-id.ts';
import { checksOf, hasBody } from './validation.ts';

/** Fastify's own limit of 100 would answer 404 to a domain name or an address (at most 320, escaped). */
const MAX_PARAM_LENGTH = 1_000;
const DEFAULT_MAX_BODY_BYTES = 4 * 1024 * 1024;

/** What a Fastify instance that serves contracts is created with. */
export const rpcServerOptions = {
  genReqId: requestIdOf,
  routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
} as const;

/** "No" is an answer: thrown by a handler, it becomes 422, and `refused` at the caller. Not logged as an error. */
export class RpcRefusal extends Error {
  readonly code: string;
  readonly field: string | undefined;

  constructor(code: string, message: string, field?: string) {
    super(message);
    this.code = code;
    this.field = field;
  }
}

export interface RpcContext {
  requestId: string;
  log: FastifyBaseLogger;
  /** The caller's span; undefined where nothing is traced. */
  traceparent?: string | undefined;
}

/** Null: there is none. Throws RpcRefusal to say no; anything else it throws is a 500. */
export type RpcHandler<C extends Contract> = (
  input: { params: ParamsOf<C>; body: BodyOf<C> },
  context: RpcContext,
) => Promise<ReplyOf<C> | null>;

/** Adds the contract's route. `fastify` must have been created with rpcServerOptions. */
export function registerContract<C extends Contract>(
  fastify: FastifyInstance,
  contract: C,
  handler: RpcHandler<C>,
  { maxBodyBytes = DEFAULT_MAX_BODY_BYTES }: { maxBodyBytes?: number } = {},
): void {
  if (fastify.initialConfig.routerOptions?.maxParamLength !== MAX_PARAM_LENGTH) {
    throw new Error(
      'create the Fastify instance with rpcServerOptions: its limits are part of the contracts',
    );
  }
  fastify.route({
    method: contract.method,
    url: contract.path,
    bodyLimit: maxBodyBytes,
    exposeHeadRoute: false,
    errorHandler: answerError,
    handler: (request, reply) => answer(contract, handler, request, reply),
  });
}

/** A Fastify `onRequest` hook: lets pass only who shows the service token (AU-2). */
export function requireServiceToken(serviceToken: string) {
  if (!serviceToken) throw new Error('the service token is empty');
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    if (isSameSecret(given, serviceToken)) return undefined;
    return sendError(reply, request.id, 401, { code: 'unauthorized', message: 'The service token is wrong' });
  };
}

async function answer<C extends Contract>(
  contract: C,
  handler: RpcHandler<C>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const checks = checksOf(contract);
  const params = { ...(request.query as object), ...(request.params as object) };
  const body = hasBody(contract) ? request.body : undefined;
  const fault = checks.params(params) ?? checks.body(body);
  if (fault) {
    return sendError(reply, request.id, 400, { code: 'invalid_request', ...fault });
  }

  const traceparent = readTraceparent(request.headers[TRACEPARENT_HEADER]);
  const context = { requestId: request.id, log: request.log, traceparent };
  const value = await handler({ params: params as ParamsOf<C>, body: body as BodyOf<C> }, context);
  if (value === null)
    return sendError(reply, request.id, 404, { code: 'not_found', message: 'There is none' });

  // Columns that a handler passed on by accident do not leave the api (AP-8). Clean changes its argument.
  const cleaned = Value.Clean(contract.reply, structuredClone(value));
  const breach = checks.reply(cleaned);
  if (breach)
    throw new Error(`${contract.name}: the reply breaks its contract: ${breach.field} ${breach.message}`);
  return reply.header(REQUEST_ID_HEADER, request.id).send(cleaned);
}

/** Errors of Fastify itself (a body that is too large or no JSON) carry a 4xx statusCode. */
function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof RpcRefusal) {
    const { code, message, field } = error;
    return sendError(reply, request.id, 422, { code, message, field });
  }
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  if (error instanceof Error && status >= 400 && status < 500) {
    const code = status === 413 ? 'body_too_large' : 'invalid_request';
    return sendError(reply, request.id, status, { code, message: error.message });
  }
  request.log.error({ err: error }, 'rpc.failed');
  return sendError(reply, request.id, status === 503 ? 503 : 500, {
    code: 'internal',
    message: 'Internal error',
  });
}

function sendError(
  reply: FastifyReply,
  requestId: string,
  status: number,
  { code, message, field }: { code: string; message: string; field?: string | undefined },
): FastifyReply {
  const error = { code, message, ...(field ? { field } : {}) };
  return reply.code(status).header(REQUEST_ID_HEADER, requestId).send({ error });
}
