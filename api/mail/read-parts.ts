/** Takes a message apart in a thread. */
import { createMessageThreads } from './message-threads.ts';
import type { Parts, PartsOptions } from './parts.ts';
import type { PartsTask } from './parts-thread.ts';

const run = createMessageThreads<PartsTask, Parts | undefined>(new URL('parts-thread.ts', import.meta.url));

/** Undefined: it has more than 1,000 parts, a header of more than a megabyte, or takes too long. */
export async function readParts(content: Buffer, options: PartsOptions = {}): Promise<Parts | undefined> {
  const taken = await run({ content, options });
  return taken.ok ? taken.answer : undefined;
}
