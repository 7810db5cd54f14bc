/**
 * One POST to an endpoint. The address is judged when the connection is made, and the connection goes to one of the
 * addresses that were judged: a name that changes its mind in between gains nothing (HK-5). Redirects are not followed
 * (HK-6). Whatever the endpoint does, the answer is here within `timeoutMs`, and costs at most 100 KB (HK-7).
 *
 * Connections stay open for the next delivery to the same host; they were judged when they were made.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy } from './address-policy.ts';
import { hostOf } from './endpoint-url.ts';
import type { Resolve } from './resolve.ts';

const MAX_BODY_BYTES = 100 * 1024;
export const SNIPPET_BYTES = 512;
const IDLE_CONNECTION_MS = 10_000;
const IDLE_CONNECTIONS_PER_HOST = 8;

export type PostFailure =
  | 'private_address'
  | 'dns_failed'
  | 'connection_failed'
  | 'tls_failed'
  | 'timeout'
  /** No HTTP, or more of it than we read. */
  | 'bad_response';

export type PostResult =
  | { ok: true; status: number; retryAfter: string | undefined; snippet: string }
  /** `detail`: an error code, for people */
  | { ok: false; reason: PostFailure; detail: string };

export interface Poster {
  post(url: URL, headers: Record<string, string>, body: Buffer): Promise<PostResult>;
  close(): void;
}

export interface PosterOptions {
  addresses: AddressPolicy;
  resolve: Resolve;
  /** From the look-up of the name to the end of the answer */
  timeoutMs: number;
}

export function createPoster({ addresses, resolve, timeoutMs }: PosterOptions): Poster {
  const options = { keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS_PER_HOST, timeout: IDLE_CONNECTION_MS };
  const agents = { 'http:': new http.Agent(options), 'https:': new https.Agent(options) };
  const lookup = createLookup(resolve);

  return {
    async post(url, headers, body) {
      const host = hostOf(url);
      // An address is connected to without a look-up.
      if (isIP(host) && !addresses.allows(host)) return fail('private_address', host);
      const { request, Agent } = url.protocol === 'https:' ? https : http;
      const agent = url.protocol === 'https:' ? agents['https:'] : agents['http:'];
      const deadline = performance.now() + timeoutMs;
      const send = (own: http.Agent) =>
        exchange(
          request(url, { method: 'POST', headers, agent: own, lookup }),
          body,
          deadline - performance.now(),
        );
      const result = await send(agent);
      // The endpoint closed an idle connection while we wrote to it.
      return result === 'stale' ? ((await send(new Agent())) as PostResult) : result;
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function createLookup(resolve: Resolve): LookupFunction {
  return (host, options, callback) => {
    void resolve(host).then((result) => {
      if (!result.ok) {
        callback(Object.assign(new Error(result.reason), { code: result.reason }), '', 0);
        return;
      }
      const [{ address, family } = { address: '', family: 0 }] = result.addresses;
      if (options.all) callback(null, result.addresses);
      else callback(null, address, family);
    });
  };
}

/** Never rejects. `stale`: a kept connection was closed before it gave an answer. */
function exchange(request: ClientRequest, body: Buffer, timeoutMs: number): Promise<PostResult | 'stale'> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => request.destroy(new Timeout()), timeoutMs);
    const settle = (result: PostResult | 'stale') => {
      clearTimeout(timer);
      resolve(result);
    };
    let isAnswered = false; // from then on the answer's own end settles
    request.once('response', (response) => {
      isAnswered = true;
      readAnswer(response, settle);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (isAnswered) return;
      settle(request.reusedSocket && error.code === 'ECONNRESET' ? 'stale' : describeFailure(error));
    });
    request.on('close', () => {
      if (!isAnswered) settle(fail('connection_failed', 'closed'));
    });
    request.end(body);
  });
}

/** The status is the answer, however the body ends; of the body only its beginning is kept. */
function readAnswer(response: IncomingMessage, settle: (result: PostResult) => void): void {
  const { statusCode: status = 0, headers } = response;
  const kept: Buffer[] = [];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    if (bytes < SNIPPET_BYTES) kept.push(chunk.subarray(0, SNIPPET_BYTES - bytes));
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) response.destroy();
  });
  response.on('error', ignore); // cut off: 'close' follows
  response.on('close', () => {
    const snippet = Buffer.concat(kept).toString('utf8').replaceAll('\0', '\ufffd');
    settle({ ok: true, status, retryAfter: headers['retry-after'], snippet });
  });
}

class Timeout extends Error {
  readonly code = 'timeout';
}

const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|HOSTNAME_MISMATCH)/;

/** Of an error code of Node: the certificate or the protocol */
export function isTlsFault(code: string): boolean {
  return TLS_CODE.test(code);
}

function describeFailure({ code = '', message }: NodeJS.ErrnoException): PostResult {
  if (code === 'timeout' || code === 'private_address' || code === 'dns_failed') return fail(code, code);
  if (isTlsFault(code)) return fail('tls_failed', code);
  if (code.startsWith('HPE_')) return fail('bad_response', code);
  return fail('connection_failed', code || message);
}

function fail(reason: PostFailure, detail: string): PostResult {
  return { ok: false, reason, detail };
}

function ignore(): void {}
