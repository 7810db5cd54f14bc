/** Copies of backups in object storage. They come and go in parts; until the last request of an upload there is no object. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { S3mini } from 's3mini';
import { openS3Bucket } from '../../lib/s3-bucket.ts';
import { type Place, type PlaceSettings, selectBackups } from './place.ts';

export interface Bucket extends Place {
  /** @throws where the storage did not take it, or has other bytes than were sent */
  upload(path: string): Promise<void>;
}

const PART_BYTES = 16 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 300_000;
const CONTENT_TYPE = 'application/octet-stream';

/** Undefined: none is configured. */
export function openBucket({
  backup,
  secrets,
}: Pick<PlaceSettings, 'backup' | 'secrets'>): Bucket | undefined {
  const bucket = openS3Bucket({
    ...backup,
    accessKeyId: secrets.backupAccessKeyId,
    secretAccessKey: secrets.backupSecretKey,
    timeoutMs: REQUEST_TIMEOUT_MS,
  });
  if (!bucket) return undefined;
  return {
    name: backup.endpoint,
    async list() {
      const objects = (await bucket.listObjects('/', 'postern-')) ?? [];
      return selectBackups(objects.map(({ Key, Size }) => ({ name: Key, bytes: Number(Size) })));
    },
    async read(name) {
      const response = await bucket.getObjectResponse(name);
      if (!response?.body) throw new Error(`${backup.endpoint} has no ${name}`);
      return Readable.fromWeb(response.body as ReadableStream<Uint8Array>);
    },
    async remove(name) {
      if (!(await bucket.deleteObject(name))) throw new Error(`${backup.endpoint} did not remove ${name}`);
    },
    upload: (path) => uploadFile(bucket, path),
  };
}

async function uploadFile(bucket: S3mini, path: string): Promise<void> {
  const key = basename(path);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const id = await bucket.getMultipartUploadId(key, CONTENT_TYPE);
    try {
      const parts = [];
      for (let number = 1, at = 0; at < size; number++, at += PART_BYTES) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(PART_BYTES, size - at)), {
          position: at,
        });
        const part = buffer.subarray(0, bytesRead);
        const taken = await bucket.uploadPart(key, id, part, number);
        if (bucket.sanitizeETag(taken.etag) !== createHash('md5').update(part).digest('hex'))
          throw new Error(`part ${number} of ${key} did not arrive as it was sent`);
        parts.push(taken);
      }
      await bucket.completeMultipartUpload(key, id, parts);
    } catch (error) {
      await bucket.abortMultipartUpload(key, id).catch(() => {}); // the storage's own rule clears it away
      throw error;
    }
  } finally {
    await file.close();
  }
}
