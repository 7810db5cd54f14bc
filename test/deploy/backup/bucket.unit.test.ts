import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { openBucket } from '../../../deploy/backup/bucket.ts';
import { startObjectStorage } from '../../support/object-storage.ts';
import { createTestSettings } from '../../support/settings.ts';

const NAME = 'postern-20260102T030405Z.tar.zst.age';

describe('deploy/backup/bucket', () => {
  it('takes a backup in parts, and gives it back in requests that none has to wait for', async () => {
    const storage = await startObjectStorage();
    const directory = mkdtempSync(join(tmpdir(), 'postern-bucket-'));
    try {
      const { backup, secrets } = createTestSettings();
      const bucket = openBucket({
        backup: { ...backup, endpoint: storage.endpoint },
        secrets: {
          ...secrets,
          backupAccessKeyId: storage.secrets.storageAccessKeyId,
          backupSecretKey: storage.secrets.storageSecretKey,
        },
      });
      assert.ok(bucket);
      const content = randomBytes(16 * 1024 * 1024 + 5);
      const path = join(directory, NAME);
      writeFileSync(path, content);
      const ranges: unknown[] = [];
      storage.intercept = ({ method, headers }) => {
        if (method === 'GET') ranges.push(headers.range);
        return false;
      };

      await bucket.upload(path);
      const read = await buffer(await bucket.read(NAME));

      assert.ok(read.equals(content));
      assert.deepEqual(ranges, ['bytes=0-16777215', 'bytes=16777216-16777220']);
      assert.deepEqual(
        (await bucket.list()).map(({ name, bytes }) => [name, bytes]),
        [[NAME, content.length]],
      );
    } finally {
      await storage.close();
      rmSync(directory, { recursive: true });
    }
  });
});
