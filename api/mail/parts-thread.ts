/** Started by read-parts.ts: takes one message apart, says what it found, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type PartsOptions, parseParts } from './parts.ts';

export interface PartsTask {
  source: Uint8Array;
  options: PartsOptions;
}

const { source, options } = workerData as PartsTask;
parentPort?.postMessage(
  await parseParts(Buffer.from(source.buffer, source.byteOffset, source.length), options),
);
