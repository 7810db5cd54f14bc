/** From a submission that was read to a message that is queued: once under its key, and to nobody who is blocked. */
import Type from 'typebox';
import Value from 'typebox/value';
import type { Store } from '../database.ts';
import { answerOnce, findAnswer, type IdempotencyKey } from '../models/idempotency-key.ts';
import { acceptMessage, type NewMessage } from '../models/message.ts';
import { isWhollyBlocked } from './blocked-recipients.ts';

export type TakeOverResult =
  | { ok: true; messageId: number; isReplayed: boolean }
  | { ok: false; code: TakeOverRefusal };

type TakeOverRefusal = 'recipients_blocked' | 'idempotency_key_running' | 'idempotency_key_used_otherwise';

/** What a client of the gateway is told. */
export const takeOverRefusals: Record<TakeOverRefusal, string> = {
  recipients_blocked: 'All recipients are on the block list',
  idempotency_key_running: 'A message with this X-Postern-Idempotency-Key is being taken over',
  idempotency_key_used_otherwise: 'This X-Postern-Idempotency-Key was used for another message',
};

const sentSchema = Type.Object({ id: Type.Integer() });

/** Resolves after the commit: from then on the message is ours to deliver. */
export async function takeOver(
  store: Store,
  message: NewMessage,
  key: IdempotencyKey | undefined,
): Promise<TakeOverResult> {
  const known = key && (await findAnswer(store.pool, key));
  const outcome =
    known ??
    (await answerOnce(store, key, async (tx) => {
      if (await isWhollyBlocked(tx, message)) return { status: 400, body: {} };
      return { status: 200, body: { id: await acceptMessage(tx, message), status: 'pending' } };
    }));
  if (outcome.state === 'running') return { ok: false, code: 'idempotency_key_running' };
  if (outcome.state === 'used_otherwise') return { ok: false, code: 'idempotency_key_used_otherwise' };
  const { body } = outcome.answer;
  if (!Value.Check(sentSchema, body)) return { ok: false, code: 'recipients_blocked' };
  return { ok: true, messageId: body.id, isReplayed: outcome.state === 'replayed' };
}
