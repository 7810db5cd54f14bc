/** Makes the body that an endpoint gets, in a thread. */
import { createMessageThreads } from '../mail/message-threads.ts';
import { type InboundFacts, renderInbound } from './payload.ts';
import type { PayloadTask } from './payload-thread.ts';

const run = createMessageThreads<PayloadTask, Uint8Array>(new URL('payload-thread.ts', import.meta.url));

/** A message that cannot be taken apart in time, or in the memory there is, goes without its parts: `raw` has it all. */
export async function renderPayload(facts: InboundFacts, content: Buffer): Promise<Buffer> {
  const body = await run({ facts, content });
  return body
    ? Buffer.from(body.buffer, body.byteOffset, body.length)
    : renderInbound(facts, content, undefined);
}
