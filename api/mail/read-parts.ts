/**
 * Takes a message apart without holding up anybody else: 30 MB of short lines keep the parser busy for ten seconds, so
 * what is large is read in a thread of its own, which is ended when it takes too long or too much.
 */
import { Worker } from 'node:worker_threads';
import { type Parts, type PartsOptions, parseParts } from './parts.ts';
import type { PartsTask } from './parts-thread.ts';

/** Takes at most a tenth of a second; a thread costs as much to start. */
const SMALL_BYTES = 256 * 1024;
const TIMEOUT_MS = 20_000;
const MAX_HEAP_MB = 512;

/** Undefined: it has more than 1,000 parts, a header of more than a megabyte, or takes longer than 20 seconds. */
export async function readParts(source: Buffer, options: PartsOptions = {}): Promise<Parts | undefined> {
  if (source.length <= SMALL_BYTES) return parseParts(source, options);
  const workerData: PartsTask = { source, options };
  const thread = new Worker(new URL('parts-thread.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  const timer = setTimeout(() => void thread.terminate(), TIMEOUT_MS);
  try {
    return await resultOf(thread);
  } finally {
    clearTimeout(timer);
  }
}

function resultOf(thread: Worker): Promise<Parts | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Parts | undefined>();
  thread.once('message', resolve);
  thread.once('error', (error: Error & { code?: string }) =>
    error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? resolve(undefined) : reject(error),
  );
  thread.once('exit', () => resolve(undefined)); // without a message before: it was ended
  return promise;
}
