/**
 * What is answered to those who do too much: 429 with `Retry-After`. Senders see how much is left of their limit in the
 * `RateLimit-*` headers. Whoever asks for what is not there, or with tokens that nobody has, is limited by address
 * (AP-7): from then on such requests are answered 429; requests with a good token from the same address are not.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Settings } from '../../config/schema.ts';
import { countMessages, TOO_FAST } from '../mail/sending-rate.ts';
import type { RateLimiter, Verdict } from '../rate-limiter.ts';
import { domainCredentialOf } from './authentication.ts';

/** An `onRequest` hook behind authenticateDomain: one message. */
export function limitSending(limiter: RateLimiter, limits: Settings['limits']) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> =>
    refuseTooFast(reply, await countMessages(limiter, domainCredentialOf(request), limits));
}

/** Says in the headers how much is left; undefined: go on. */
export function refuseTooFast(reply: FastifyReply, verdict: Verdict): FastifyReply | undefined {
  describeLimit(reply, verdict);
  return verdict.isAllowed ? undefined : reply.code(429).send({ error: TOO_FAST });
}

/** Counts what failed for each address, and answers 429 beyond the limit. */
export function limitFailures(app: FastifyInstance, limiter: RateLimiter, { limits }: Settings): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (!hasFailed(request, reply)) return payload;
    const verdict = await limiter.consume(`failures:${request.ip}`, limits.addressFailuresPerMinute);
    if (verdict.isAllowed) return payload;
    describeLimit(reply.code(429).type('application/json; charset=utf-8'), verdict);
    return JSON.stringify({ error: 'Too many failed requests from your address' });
  });
}

/** No such route, or a token that is missing or not known: 401, and 400 where the contract has that. */
function hasFailed(request: FastifyRequest, { statusCode }: FastifyReply): boolean {
  if (request.is404) return statusCode === 404;
  const { domainCredential, organizationCredential, operatorCredential } = request;
  const isKnown = domainCredential || organizationCredential || operatorCredential;
  return !isKnown && (statusCode === 401 || (statusCode === 400 && request.url.startsWith('/api/')));
}

function describeLimit(reply: FastifyReply, { isAllowed, limit, remaining, resetSeconds }: Verdict): void {
  reply.headers({
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
  });
  if (!isAllowed) reply.header('retry-after', String(resetSeconds));
}
