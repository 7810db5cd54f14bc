/** What lies in the object storage of sources: its names, sizes and digests, a JSON line each. The objects stay there. */
import type { Settings } from '../../config/schema.ts';
import { openS3Bucket } from '../../lib/s3-bucket.ts';
import type { ArchiveWriter } from './archive.ts';
import { type Manifest, OBJECTS } from './manifest.ts';

const PAGE = 1000;
const PREFIX = 'organizations/';

/** @returns null where no object storage is configured */
export async function listStoredObjects(
  { storage, secrets }: Pick<Settings, 'storage' | 'secrets'>,
  archive: ArchiveWriter,
): Promise<Manifest['objects']> {
  const bucket = openS3Bucket({
    ...storage,
    accessKeyId: secrets.storageAccessKeyId,
    secretAccessKey: secrets.storageSecretKey,
  });
  if (!bucket) return null;
  const total = { count: 0, bytes: 0 };
  let next: string | undefined;
  let number = 0;
  do {
    const page = await bucket.listObjectsPaged('/', PREFIX, PAGE, next);
    const objects = page?.objects ?? [];
    const lines = objects.map(({ Key, Size, ETag }) =>
      JSON.stringify({ key: Key, bytes: Number(Size), etag: ETag }),
    );
    if (lines.length > 0) {
      const name = `${OBJECTS}/${String(++number).padStart(6, '0')}.jsonl`;
      await archive.add(name, Buffer.from(`${lines.join('\n')}\n`));
    }
    total.count += objects.length;
    total.bytes += objects.reduce((sum, { Size }) => sum + Number(Size), 0);
    next = page?.nextContinuationToken;
  } while (next);
  return total;
}
