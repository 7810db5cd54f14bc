/** Many requests in one: each is read, checked and answered by itself; those that are taken are committed together. */
import type { Store, Transaction } from '../database.ts';
import type { DomainCredential } from '../models/api-token.ts';
import { answerOnce, type Outcome } from '../models/idempotency-key.ts';
import { TemplateFiller } from '../templates/fill.ts';
import { type Prepared, prepareMessage, type SendOptions } from './send.ts';
import { acceptAll } from './send-group.ts';

export const MAX_BATCH_MESSAGES = 500;

const NO_LIST = { errors: { messages: [`is not a list of 1 to ${MAX_BATCH_MESSAGES} messages`] } };
const TOO_LARGE = { error: 'The messages exceed the maximum size of 30 MB together' };

type BatchOptions = Omit<SendOptions, 'group' | 'templates'> & Required<Pick<SendOptions, 'templates'>>;

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
  { key, templates, traceparent, ...options }: BatchOptions,
): Promise<{ outcome: Outcome; accepted: number }> {
  const filler = new TemplateFiller(store.pool, templates, credential);
  const prepared: Prepared[] = [];
  let bytes = 0;
  for (const request of requests) {
    const one = await prepareMessage(credential, request, options, filler);
    prepared.push(one);
    bytes += one.ok ? one.message.content.length : 0;
    if (bytes > options.limits.maxMessageBytes) return { outcome: answered(413, TOO_LARGE), accepted: 0 };
  }
  let accepted = 0;
  const outcome = await answerOnce(store, key, async (tx) => {
    const results = await acceptPrepared(tx, prepared, traceparent);
    accepted = results.filter((result) => 'id' in result).length;
    return { status: accepted > 0 ? 200 : 400, body: { results } };
  });
  return { outcome, accepted };
}

/** Each as /send would answer it, in the order of the requests. */
async function acceptPrepared(
  tx: Transaction,
  prepared: readonly Prepared[],
  traceparent: string | undefined,
): Promise<object[]> {
  const messages = prepared.flatMap((one) => (one.ok ? [{ ...one.message, traceparent }] : []));
  const answers = (await acceptAll(tx, messages)).values();
  return prepared.map((one) => {
    const answer = one.ok ? answers.next().value : { status: one.refusal.code, body: one.refusal.body };
    if (!answer) throw new Error('each message that was prepared has an answer');
    if (answer.status === 200) return answer.body;
    return { status: 'refused', code: answer.status, ...answer.body };
  });
}

function answered(status: number, body: object): Outcome {
  return { state: 'answered', answer: { status, body } };
}
