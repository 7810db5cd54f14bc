/** Copies of backups in object storage. They come and go in parts; until the last request of an upload there is no object. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import type { S3mini } from 's3mini';
import { openS3Bucket } from '../../lib/s3-bucket.ts';
import { type Place, type PlaceSettings, selectBackups } from './place.ts';

export interface Bucket extends Place {
  /** @throws where the storage did not take it, or has other bytes than were sent */
  upload(path: string): Promise<void>;
}

const PART_BYTES = 16 * 1024 * 1024;
/** Of an upload, as S3 has it */
const MAX_PARTS = 10_000;
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
      const size = await bucket.getContentLength(name);
      return Readable.from(readParts(bucket, name, size), { objectMode: false });
    },
    async remove(name) {
      if (!(await bucket.deleteObject(name))) throw new Error(`${backup.endpoint} did not remove ${name}`);
    },
    upload: (path) => uploadFile(bucket, path),
  };
}

/** A restore takes its time between them, which none of the requests is to wait for. */
async function* readParts(bucket: S3mini, key: string, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const end = Math.min(at + PART_BYTES, size);
    const part = Buffer.from(await (await bucket.getObjectRaw(key, false, at, end)).arrayBuffer());
    if (part.length !== end - at) throw new Error(`${key} did not come in the parts that were asked for`);
    yield part;
    at = end;
  }
}

async function uploadFile(bucket: S3mini, path: string): Promise<void> {
  const key = basename(path);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const id = await bucket.getMultipartUploadId(key, CONTENT_TYPE);
    try {
      const parts = [];
      const partBytes = Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS));
      for (let number = 1, at = 0; at < size; number++, at += partBytes) {
        const part = Buffer.alloc(Math.min(partBytes, size - at));
        const { bytesRead } = await file.read(part, { position: at });
        if (bytesRead < part.length) throw new Error(`${path} became shorter while it was sent`);
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
