/**
 * Where backups lie. A file has its name only when it is whole and on the disk; until then it is called `.partial`. In object
 * storage the parts of an upload are no object until the last request.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { S3mini } from 's3mini';
import type { Settings } from '../../config/schema.ts';
import { openS3Bucket } from '../../lib/s3-bucket.ts';
import { locateInstallation } from '../local/installation.ts';
import { openFile } from './archive.ts';

export interface StoredBackup {
  name: string;
  createdAt: Date;
  bytes: number;
}

export interface Place {
  /** For people */
  name: string;
  /** Oldest first */
  list(): Promise<StoredBackup[]>;
  read(name: string): Promise<Readable>;
  remove(name: string): Promise<void>;
}

export interface Directory extends Place {
  /** `fill` makes the file that it is given the path of. @returns the file's path */
  save(name: string, fill: (path: string) => Promise<void>): Promise<string>;
}

export interface Bucket extends Place {
  /** @throws where the storage did not take it, or has other bytes than were sent */
  upload(path: string): Promise<void>;
}

type PlaceSettings = Pick<Settings, 'directory' | 'backup' | 'secrets'>;

const NAME = /^postern-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.tar\.zst\.age$/;
const PARTIAL = '.partial';
const PART_BYTES = 16 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 300_000;
const CONTENT_TYPE = 'application/octet-stream';

/** As `postern-20260102T030405Z.tar.zst.age` */
export function backupName(at: Date): string {
  return `postern-${at.toISOString().replace(/[-:]|\.\d+/g, '')}.tar.zst.age`;
}

/** Undefined: not a backup */
export function readBackupName(name: string): Date | undefined {
  const parts = NAME.exec(name);
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second] = parts;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

export function openDirectory({ directory, backup }: PlaceSettings): Directory {
  const path = backup.directory || join(locateInstallation(directory).directory, 'backups');
  return {
    name: path,
    async list() {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return select(readdirSync(path).map((name) => ({ name, bytes: statSync(join(path, name)).size })));
    },
    read: (name) => openFile(join(path, basename(name))),
    remove: (name) => rm(join(path, basename(name))),
    async save(name, fill) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      // What another left that died. Two at a time do not happen: the job is exclusive, and names differ by the second.
      for (const left of readdirSync(path).filter((file) => file.endsWith(PARTIAL)))
        if (isOld(join(path, left))) await rm(join(path, left), { force: true });
      const target = join(path, name);
      const partial = `${target}${PARTIAL}`;
      try {
        await fill(partial);
        await rename(partial, target);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      await flushDirectory(path);
      return target;
    },
  };
}

/** Undefined: none is configured. */
export function openBucket({ backup, secrets }: PlaceSettings): Bucket | undefined {
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
      return select(objects.map(({ Key, Size }) => ({ name: Key, bytes: Number(Size) })));
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

function select(files: { name: string; bytes: number }[]): StoredBackup[] {
  return files
    .flatMap(({ name, bytes }) => {
      const createdAt = readBackupName(name);
      return createdAt ? [{ name, createdAt, bytes }] : [];
    })
    .sort((a, b) => a.name.localeCompare(b.name));
}

function isOld(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) < Date.now() - 86_400_000;
}

/** A renamed file outlives a power cut only when its directory is written as well. */
async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
