import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { locateCertificate, saveCertificate } from '../../../deploy/certificates/files.ts';

const certificate = { cert: 'chain', key: 'key' };

describe('deploy/certificates/files', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-acme-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

  it('are for their owner alone', () => {
    const files = locateCertificate(directory);

    saveCertificate(files, certificate);

    assert.deepEqual([dirname(files.key), files.key, files.chain].map(modeOf), ['700', '600', '600']);
  });

  it('are for the group too where setup has made the directory for it', () => {
    const files = locateCertificate(directory);
    mkdirSync(dirname(files.key), { recursive: true });
    chmodSync(dirname(files.key), 0o750);
    writeFileSync(`${files.key}.next`, 'left by one that was killed', { mode: 0o600 });

    saveCertificate(files, certificate);

    assert.deepEqual([files.key, files.chain].map(modeOf), ['640', '640']);
    assert.deepEqual(readdirSync(dirname(files.key)).sort(), ['chain.pem', 'key.pem']);
  });
});
