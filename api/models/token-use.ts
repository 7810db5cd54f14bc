/** When a token was last used, to the minute: so that nobody has to guess whether one may be revoked. */
import { LRUCache } from 'lru-cache';
import type { Queryable } from '../database.ts';

const INTERVAL_MS = 60_000;
const MAX_TOKENS_REMEMBERED = 10_000;

export type NoteUse = (tokenId: number) => Promise<void>;

/**
 * Writes at most once a minute and token: a row that is written for each request is one that all requests of the
 * customer wait for.
 */
export function createUseNote(db: Queryable): NoteUse {
  const notedAtMs = new LRUCache<number, number>({ max: MAX_TOKENS_REMEMBERED });
  return async (tokenId) => {
    const nowMs = Date.now();
    if (nowMs - (notedAtMs.get(tokenId) ?? 0) < INTERVAL_MS) return;
    notedAtMs.set(tokenId, nowMs);
    await db.query(
      `update api_tokens
          set last_used_at = now()
        where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
      [tokenId],
    );
  };
}
