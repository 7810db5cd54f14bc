/** What the routes read of a request beside its schema. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isUnlimited, type Selector } from '../queue/selector.ts';
import { refuse } from './replies.ts';

const MAX_ACTOR_CHARACTERS = 100;

/** Who asks, as they say: the token is one for all. `X-Postern-Actor`, as `ada@host`. */
export function actorOf(request: FastifyRequest): string {
  const given = request.headers['x-postern-actor'];
  const name = typeof given === 'string' ? given.replace(/[^\x20-\x7e]/g, '').trim() : '';
  return name.slice(0, MAX_ACTOR_CHARACTERS) || 'unnamed';
}

/** A `preHandler` hook: nobody means the whole queue by leaving something out. */
export async function requireSelector(
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const { selector } = request.body as { selector: Selector };
  return isUnlimited(selector) ? refuse(reply, 'selector_empty') : undefined;
}
