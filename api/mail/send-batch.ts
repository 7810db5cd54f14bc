/** Many requests in one: each is read, checked and answered by itself; those that are taken are committed together. */
import type { Settings } from '../../config/schema.ts';
import type { Store, Transaction } from '../database.ts';
import type { DomainCredential } from '../models/api-token.ts';
import { answerOnce, type IdempotencyKey, type Outcome } from '../models/idempotency-key.ts';
import { acceptMessage } from '../models/message.ts';
import { refuseBlocked } from './blocked-recipients.ts';
import type { Refusal } from './field-reader.ts';
import { type Prepared, prepareMessage } from './send.ts';

export const MAX_BATCH_MESSAGES = 500;

const NO_LIST = { errors: { messages: [`is not a list of 1 to ${MAX_BATCH_MESSAGES} messages`] } };
const TOO_LARGE = { error: 'The messages exceed the maximum size of 30 MB together' };

/** What became of one message of a batch. */
export type BatchResult =
  | { status: 'pending'; id: number }
  | ({ status: 'refused'; code: number } & Refusal['body']);

/** Undefined: the body is no batch. */
export function readBatch(body: unknown): unknown[] | undefined {
  if (typeof body !== 'object' || body === null || !('messages' in body)) return undefined;
  const { messages } = body;
  const isBatch = Array.isArray(messages) && messages.length > 0 && messages.length <= MAX_BATCH_MESSAGES;
  return isBatch ? messages : undefined;
}

export function refuseNoBatch(): Outcome {
  return answered(400, NO_LIST);
}

/**
 * Resolves after the commit: from then on those with an id are ours to deliver. 200 when at least one was taken, else
 * 400; then nothing is kept under the key.
 */
export async function sendBatch(
  store: Store,
  credential: DomainCredential,
  requests: readonly unknown[],
  { limits, key }: { limits: Settings['limits']; key: IdempotencyKey | undefined },
): Promise<{ outcome: Outcome; accepted: number }> {
  const prepared: Prepared[] = [];
  let bytes = 0;
  for (const request of requests) {
    const one = await prepareMessage(credential, request, limits);
    prepared.push(one);
    bytes += one.ok ? one.message.content.length : 0;
    if (bytes > limits.maxMessageBytes) return { outcome: answered(413, TOO_LARGE), accepted: 0 };
  }
  let accepted = 0;
  const outcome = await answerOnce(store, key, async (tx) => {
    const results = await acceptAll(tx, prepared);
    accepted = results.filter(({ status }) => status === 'pending').length;
    return { status: accepted > 0 ? 200 : 400, body: { results } };
  });
  return { outcome, accepted };
}

async function acceptAll(tx: Transaction, prepared: readonly Prepared[]): Promise<BatchResult[]> {
  const messages = prepared.flatMap((one) => (one.ok ? [one.message] : []));
  const refusals = await refuseBlocked(tx, messages);
  const results: BatchResult[] = [];
  for (const one of prepared) {
    const refusal = one.ok ? refusals.get(one.message) : one.refusal;
    if (refusal) results.push({ status: 'refused', code: refusal.code, ...refusal.body });
    else if (one.ok) results.push({ status: 'pending', id: await acceptMessage(tx, one.message) });
  }
  return results;
}

function answered(status: number, body: object): Outcome {
  return { state: 'answered', answer: { status, body } };
}
