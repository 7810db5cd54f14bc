import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { maskSecrets } from '../../config/secrets.ts';
import { createTestSettings } from '../support/settings.ts';

describe('config/secrets', () => {
  it('shows the settings without a secret and without the passwords in URLs (AU-11)', () => {
    const settings = createTestSettings({
      database: { url: 'postgres://app:hunter2@db.test/postern' },
      redis: { url: 'redis://:hunter3@cache.test/0' },
      queue: { url: 'postgres://queue@db.test/queue' },
      secrets: {
        storageAccessKeyId: 'hunter4',
        storageSecretKey: 'hunter5',
        backupAccessKeyId: 'hunter6',
        backupSecretKey: 'hunter7',
      },
    });
    const shown = JSON.stringify(maskSecrets(settings));
    for (const secret of ['hunter2', 'hunter3', ...Object.values(settings.secrets)]) {
      assert.ok(!shown.includes(secret), secret);
    }
    assert.ok(shown.includes('postgres://app:********@db.test/postern'));
    assert.ok(shown.includes('postgres://queue@db.test/queue'));
  });
});
