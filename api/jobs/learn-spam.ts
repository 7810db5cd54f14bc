/** Teaches rspamd what somebody decided about a held message. Learning twice changes nothing. */
import type { Settings } from '../../config/schema.ts';
import { learn } from '../../lib/spam/rspamd.ts';
import type { Store } from '../database.ts';
import { loadSource } from '../storage/load-source.ts';
import { openObjectStore } from '../storage/object-store.ts';

export interface LearnSpamJob {
  messageId: number;
  kind: 'spam' | 'ham';
}

/** @throws while rspamd does not take it, or the source is out of reach, which makes pg-boss try again */
export async function learnSpam(
  { store, settings }: { store: Pick<Store, 'pool'>; settings: Settings },
  { messageId, kind }: LearnSpamJob,
): Promise<void> {
  if (settings.spam.engine === 'none') return;
  const source = await loadSource(store.pool, openObjectStore(settings), messageId);
  if (source.ok) await learn(settings.spam.controllerUrl, kind, source.content);
  else if (source.reason === 'unavailable') throw source.error;
}
