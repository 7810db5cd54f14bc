/** Takes a file as it comes, and stores it in parts: of no size is more in memory than a part. */
import type { Queryable } from '../database.ts';
import { addImportPart } from '../models/suppression-import.ts';

export const MAX_FILE_MB = 20;
const MAX_FILE_BYTES = MAX_FILE_MB * 1_000_000;
const PART_BYTES = 256 * 1024;

export type ReceivedFile = { ok: true; bytes: number } | { ok: false; reason: 'too_large' };

/** @throws when the client goes away before the end; one with too much is heard out, else it would not hear why */
export async function receiveFile(
  db: Queryable,
  importId: number,
  body: AsyncIterable<Buffer>,
): Promise<ReceivedFile> {
  let number = 0;
  let bytes = 0;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  const store = async () => {
    await addImportPart(db, importId, { number: number++, content: Buffer.concat(waiting) });
    waiting = [];
    waitingBytes = 0;
  };
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_FILE_BYTES) continue;
    waiting.push(chunk);
    waitingBytes += chunk.length;
    if (waitingBytes >= PART_BYTES) await store();
  }
  if (bytes > MAX_FILE_BYTES) return { ok: false, reason: 'too_large' };
  if (waiting.length > 0) await store();
  return { ok: true, bytes };
}
