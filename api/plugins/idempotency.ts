/**
 * `Idempotency-Key` (contract 1.4): a request that is sent again under its key is answered as the first time, with
 * `Idempotent-Replayed: true`, and sends nothing. 409 while the first is running, 422 for another request under the
 * same key, 400 for a key that is none. What was refused is not kept.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Store } from '../database.ts';
import {
  findAnswer,
  fingerprintOf,
  type IdempotencyKey,
  isKey,
  type Outcome,
} from '../models/idempotency-key.ts';
import { domainCredentialOf } from './authentication.ts';

export const replies = {
  invalid: { status: 400, body: { error: 'Idempotency-Key must have 1 to 255 printable ASCII characters' } },
  running: { status: 409, body: { error: 'A request with this Idempotency-Key is still running' } },
  used_otherwise: { status: 422, body: { error: 'This Idempotency-Key was used for another request' } },
} as const;

/** @param work what the request asks for; called with the key where there is one and nothing was answered under it */
export async function replayOr(
  { pool }: Pick<Store, 'pool'>,
  request: FastifyRequest,
  reply: FastifyReply,
  work: (key: IdempotencyKey | undefined) => Promise<Outcome>,
): Promise<FastifyReply> {
  const text = request.headers['idempotency-key'];
  if (text !== undefined && !isKey(text)) return answer(reply, replies.invalid);
  const key = text === undefined ? undefined : keyOf(request, text);
  const outcome = (key && (await findAnswer(pool, key))) ?? (await work(key));
  if (outcome.state === 'answered') return answer(reply, outcome.answer);
  if (outcome.state === 'replayed') {
    return answer(reply.header('idempotent-replayed', 'true'), outcome.answer);
  }
  return answer(reply, replies[outcome.state]);
}

function keyOf(request: FastifyRequest, key: string): IdempotencyKey {
  const path = request.routeOptions.url ?? request.url;
  return {
    tokenId: domainCredentialOf(request).tokenId,
    key,
    fingerprint: fingerprintOf(request.method, path, JSON.stringify(request.body ?? null)),
  };
}

function answer(reply: FastifyReply, { status, body }: { status: number; body: object }): FastifyReply {
  return reply.code(status).send(body);
}
