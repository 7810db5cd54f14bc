/** What runs in the threads of read-parts.ts: takes messages apart. */
import { serveTasks } from '../serve-tasks.ts';
import { type PartsOptions, parseParts } from './parts.ts';

export interface PartsTask {
  content: Uint8Array;
  options: PartsOptions;
}

serveTasks(({ content, options }: PartsTask) => parseParts(Buffer.from(content), options));
