import assert from 'node:assert/strict';
import { findStorageProblems } from '../../config/storage.ts';
import { createTestSettings } from '../support/settings.ts';

describe('config/storage', () => {
  const secrets = { storageAccessKeyId: 'id', storageSecretKey: 'key' };
  const problemsOf = (endpoint: string, changes: Parameters<typeof createTestSettings>[0] = {}) => {
    const { storage } = createTestSettings();
    return findStorageProblems(
      createTestSettings({ secrets, ...changes, storage: { ...storage, endpoint } }),
    );
  };

  it('needs nothing where there is no storage', () => {
    assert.deepEqual(problemsOf('', { secrets: { storageAccessKeyId: '', storageSecretKey: '' } }), []);
  });

  it('needs both halves of the key', () => {
    const [problem = ''] = problemsOf('https://s3.test/b', { secrets: { ...secrets, storageSecretKey: '' } });
    assert.match(problem, /^secrets\.storageAccessKeyId, secrets\.storageSecretKey: required/);
  });

  it('keeps backups out of the bucket of the sources: whoever can delete the one could delete the other', () => {
    const { storage, backup } = createTestSettings();
    const keys = { ...secrets, backupAccessKeyId: 'id', backupSecretKey: 'key' };
    const problemsWith = (endpoint: string) =>
      findStorageProblems(
        createTestSettings({
          secrets: keys,
          storage: { ...storage, endpoint: 'https://s3.test/b' },
          backup: { ...backup, endpoint },
        }),
      );

    assert.deepEqual(problemsWith('https://s3.test/backups'), []);
    assert.match(problemsWith('https://s3.test/b')[0] ?? '', /^backup\.endpoint: must be another bucket/);
    assert.match(problemsWith('https://s3.test')[0] ?? '', /^backup\.endpoint: must be the URL of a bucket/);
  });

  for (const [endpoint, environment, isGood] of [
    ['https://s3.test/bucket', 'production', true],
    ['http://127.0.0.1:9000/bucket', 'production', true],
    ['http://s3.test/bucket', 'test', true],
    ['http://s3.test/bucket', 'production', false],
    ['https://s3.test', 'test', false],
    ['https://key:secret@s3.test/bucket', 'test', false],
    ['https://s3.test/bucket?list', 'test', false],
    ['https://', 'test', false],
  ] as const) {
    it(`${isGood ? 'takes' : 'refuses'} ${endpoint} in ${environment}`, () => {
      const problems = problemsOf(endpoint, { environment });
      assert.equal(problems.length, isGood ? 0 : 1, problems[0]);
      if (!isGood) assert.match(problems[0] ?? '', /^storage\.endpoint: /);
    });
  }
});
