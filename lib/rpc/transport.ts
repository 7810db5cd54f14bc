/**
 * One call over HTTP, made an RpcResult. Nothing here throws for what the network or the other side does.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import got, { type Got, type Response } from 'got';
import type { Logger } from '../log.ts';
import { TRACEPARENT_HEADER } from '../tracing/tracer.ts';
import type { Contract, ReplyOf } from './contracts/contract.ts';
import type { RpcMetrics } from './metrics.ts';
import { REQUEST_ID_HEADER } from './request-id.ts';
import { checksOf, hasBody } from './validation.ts';

const CONNECT_TIMEOUT_MS = 1_000;
/** All attempts together. A large body gets a second more for each megabyte. */
const TOTAL_TIMEOUT_MS = 5_000;
const BYTES_PER_EXTRA_MS = 1_000;
const RETRY_LIMIT = 2;
const RETRY_DELAY_MS = 100;
const MAX_SOCKETS = 64;
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

/** 4xx that judge the caller or the moment, not the request: the answer to the question is still unknown. */
const UNDECIDED_STATUSES = new Set([401, 403, 408, 425, 429]);

export type RpcResult<T> =
  | { ok: true; value: T; requestId?: string }
  /** 404 of a contract with a cache policy */
  | { ok: false; reason: 'not_found' }
  /** 4xx with `{ error: { code, message, field? } }` */
  | { ok: false; reason: 'refused'; code: string; message: string; field?: string }
  /** No usable answer: the caller defers, it never guesses. */
  | { ok: false; reason: 'unavailable'; message: string };

export interface Request {
  params: Record<string, unknown>;
  body: unknown;
  requestId: string;
  traceparent?: string | undefined;
}

export interface Transport {
  send<C extends Contract>(contract: C, request: Request): Promise<RpcResult<ReplyOf<C>>>;
  close(): void;
}

export interface TransportOptions {
  url: string;
  serviceToken: string;
  log: Logger;
  metrics: RpcMetrics;
}

export function createTransport({ url, serviceToken, log, metrics }: TransportOptions): Transport {
  const agent = {
    http: new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    https: new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
  };
  const http = got.extend({
    prefixUrl: url,
    agent,
    headers: { authorization: `Bearer ${serviceToken}`, accept: 'application/json' },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    timeout: { lookup: CONNECT_TIMEOUT_MS, connect: CONNECT_TIMEOUT_MS, secureConnect: CONNECT_TIMEOUT_MS },
  });

  async function send<C extends Contract>(contract: C, request: Request): Promise<RpcResult<ReplyOf<C>>> {
    const result = await exchange(http, contract, request);
    if (result === 'invalid_reply') {
      metrics.errors.inc({ kind: 'invalid_reply' });
      log.error({ contract: contract.name, requestId: request.requestId }, 'rpc.invalid_reply');
    }
    const answer: RpcResult<ReplyOf<C>> =
      result === 'invalid_reply' ? unavailable('the answer breaks its contract') : result;
    metrics.requests.inc({ contract: contract.name, outcome: answer.ok ? 'ok' : answer.reason });
    return answer;
  }

  return {
    send,
    close() {
      agent.http.destroy();
      agent.https.destroy();
    },
  };
}

async function exchange<C extends Contract>(
  http: Got,
  contract: C,
  { params, body, requestId, traceparent }: Request,
): Promise<RpcResult<ReplyOf<C>> | 'invalid_reply'> {
  const json = hasBody(contract) ? Buffer.from(JSON.stringify(body)) : undefined;
  const timeoutMs = TOTAL_TIMEOUT_MS + Math.ceil((json?.length ?? 0) / BYTES_PER_EXTRA_MS);
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    const request = http(buildPath(contract, params), {
      method: contract.method,
      headers: {
        [REQUEST_ID_HEADER]: requestId,
        ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(json === undefined ? {} : { body: json }),
      retry: {
        limit: contract.isIdempotent ? RETRY_LIMIT : 0,
        methods: [contract.method],
        statusCodes: [502, 503, 504],
        calculateDelay: ({ attemptCount, computedValue }) =>
          computedValue === 0 ? 0 : delayMs(attemptCount),
      },
      signal: controller.signal,
    });
    void request.on('downloadProgress', ({ transferred }) => {
      if (transferred > MAX_REPLY_BYTES) controller.abort();
    });
    return readResponse(contract, await request);
  } catch (error) {
    if (controller.signal.aborted) return unavailable(`no whole answer within ${timeoutMs} ms`);
    return unavailable(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Full jitter around 100 ms, then 200 ms, so that the callers of a restarted api do not come back in step. */
function delayMs(attempt: number): number {
  return RETRY_DELAY_MS * 2 ** (attempt - 1) * (0.5 + Math.random());
}

/** Params named in the path fill it, the others become the query. */
function buildPath(contract: Contract, params: Record<string, unknown>): string {
  const query = new URLSearchParams();
  let path = contract.path;
  for (const [name, value] of Object.entries(params)) {
    const filled = path.replace(`:${name}`, () => encodeURIComponent(String(value)));
    if (filled === path && value !== undefined) query.set(name, String(value));
    path = filled;
  }
  return path.slice(1) + (query.size > 0 ? `?${query}` : '');
}

function readResponse<C extends Contract>(
  contract: C,
  response: Response<string>,
): RpcResult<ReplyOf<C>> | 'invalid_reply' {
  const { statusCode } = response;
  if (statusCode >= 500 || UNDECIDED_STATUSES.has(statusCode)) return unavailable(`HTTP ${statusCode}`);
  const body = parseJson(response.body);
  if (statusCode === 200) {
    if (checksOf(contract).reply(body)) return 'invalid_reply';
    return { ok: true, value: body as ReplyOf<C>, ...readRequestId(response) };
  }
  const error = readError(body);
  // A 404 of anybody else (a proxy, an api that does not know the route yet) does not say "there is none".
  if (!error) return unavailable(`HTTP ${statusCode}`);
  if (statusCode === 404 && error.code === 'not_found' && contract.cache)
    return { ok: false, reason: 'not_found' };
  return { ok: false, reason: 'refused', ...error };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // fits no schema
  }
}

function readRequestId(response: Response<string>): { requestId?: string } {
  const id = response.headers[REQUEST_ID_HEADER];
  return typeof id === 'string' ? { requestId: id } : {};
}

function readError(body: unknown): { code: string; message: string; field?: string } | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error))
    return undefined;
  if (typeof error.code !== 'string' || typeof error.message !== 'string') return undefined;
  const field = 'field' in error && typeof error.field === 'string' ? { field: error.field } : {};
  return { code: error.code, message: error.message, ...field };
}

function unavailable(message: string): { ok: false; reason: 'unavailable'; message: string } {
  return { ok: false, reason: 'unavailable', message };
}
