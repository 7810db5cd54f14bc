/** Makes the body that an endpoint gets, in a thread. */
import { createMessageThreads } from '../mail/message-threads.ts';
import { type InboundFacts, renderInbound } from './payload.ts';
import type { PayloadTask } from './payload-thread.ts';

/** With the longest that a message takes, and the longest POST, it is less than the claim (models/webhook-claim.ts). */
const MAX_WAIT_MS = 20_000;

const run = createMessageThreads<PayloadTask, Uint8Array>(
  new URL('payload-thread.ts', import.meta.url),
  MAX_WAIT_MS,
);

/**
 * A message that cannot be taken apart in time, or in the memory there is, goes without its parts: `raw` has it all.
 * Undefined: others are in front of it.
 */
export async function renderPayload(facts: InboundFacts, content: Buffer): Promise<Buffer | undefined> {
  const taken = await run({ facts, content });
  if (taken.ok) return Buffer.from(taken.answer.buffer, taken.answer.byteOffset, taken.answer.length);
  return taken.reason === 'busy' ? undefined : renderInbound(facts, content, undefined);
}
