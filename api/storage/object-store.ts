/**
 * Object storage that speaks S3. It is slow, and now and then not there: reading says so as a value, within
 * `storage.timeoutMs`; writing and removing throw, and the job that does it tries again.
 */
import type { Settings } from '../../config/schema.ts';
import { openS3Bucket } from '../../lib/s3-bucket.ts';

export type ReadResult =
  | { ok: true; content: Buffer }
  /** missing: the storage answers, and has no such object */
  | { ok: false; reason: 'missing' }
  | { ok: false; reason: 'unavailable'; error: Error };

export interface ObjectStore {
  /** Replaces what was there. @throws when the storage did not take it */
  put(key: string, content: Buffer): Promise<void>;
  /** @param maxBytes only so much from the beginning */
  read(key: string, maxBytes?: number): Promise<ReadResult>;
  /** It is gone, or was not there. @throws when nobody can say so */
  remove(key: string): Promise<void>;
}

const CONTENT_TYPE = 'message/rfc822';

/** Undefined: none is configured. */
export function openObjectStore({
  storage,
  secrets,
}: Pick<Settings, 'storage' | 'secrets'>): ObjectStore | undefined {
  const bucket = openS3Bucket({
    ...storage,
    accessKeyId: secrets.storageAccessKeyId,
    secretAccessKey: secrets.storageSecretKey,
  });
  if (!bucket) return undefined;
  return {
    async put(key, content) {
      await bucket.putObject(key, content, CONTENT_TYPE);
    },
    async read(key, maxBytes) {
      try {
        const response = await bucket.getObjectResponse(key);
        if (!response) return { ok: false, reason: 'missing' };
        return { ok: true, content: await readBody(response, maxBytes) };
      } catch (error) {
        return {
          ok: false,
          reason: 'unavailable',
          error: error instanceof Error ? error : new Error(String(error)),
        };
      }
    },
    async remove(key) {
      if (!(await bucket.deleteObject(key))) throw new Error(`the storage did not remove ${key}`);
    },
  };
}

async function readBody(response: Response, maxBytes = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBytes) break; // which cancels the rest
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
