/**
 * Whether a message's recipients get a one-click link (RFC 8058): in the bulk stream unless the request says no, in the
 * transactional one if it says yes. A List-Unsubscribe of the sender's own is respected.
 */
import type { Stream } from '../models/stream.ts';

export interface LinkQuestion {
  /** What the request says; undefined: nothing */
  asked: boolean | undefined;
  stream: Stream;
  /** The message has a List-Unsubscribe of its own. */
  hasOwn: boolean;
  /** This installation can be reached by recipients (`api.publicUrl`). */
  isOffered: boolean;
}

export type LinkDecision = { ok: true; hasLink: boolean } | { ok: false; problem: string };

export function decideLink({ asked, stream, hasOwn, isOffered }: LinkQuestion): LinkDecision {
  if (asked === true && hasOwn) {
    return { ok: false, problem: 'cannot be given with a List-Unsubscribe of your own' };
  }
  if (asked === true && !isOffered)
    return { ok: false, problem: 'is not available: api.publicUrl is not set' };
  const isWanted = asked ?? (stream === 'bulk' && !hasOwn);
  return { ok: true, hasLink: isWanted && isOffered };
}
