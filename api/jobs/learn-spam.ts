/** Teaches rspamd what somebody decided about a held message. Learning twice changes nothing. */
import type { Settings } from '../../config/schema.ts';
import { learn } from '../../lib/spam/rspamd.ts';
import type { Store } from '../database.ts';

export interface LearnSpamJob {
  messageId: number;
  kind: 'spam' | 'ham';
}

/** @throws while rspamd does not take it, which makes pg-boss try again */
export async function learnSpam(
  { store, settings }: { store: Store; settings: Settings },
  { messageId, kind }: LearnSpamJob,
): Promise<void> {
  if (settings.spam.engine === 'none') return;
  const { rows } = await store.pool.query<{ content: Buffer }>(
    'select content from message_sources where message_id = $1',
    [messageId],
  );
  const [source] = rows;
  if (source) await learn(settings.spam.controllerUrl, kind, source.content);
}
