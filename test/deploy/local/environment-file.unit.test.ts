import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readSettings } from '../../../config/load.ts';
import { completeEnvironmentFile } from '../../../deploy/local/environment-file.ts';

describe('deploy/local/environment-file', () => {
  let directory = '';
  let file = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-environment-'));
    file = join(directory, 'postern.env');
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  it('makes secrets that the settings accept, for their owner only', () => {
    completeEnvironmentFile(file, {});
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(readSettings({ POSTERN_DIRECTORY: directory }).ok, true);
  });

  it('makes other secrets for another installation', () => {
    completeEnvironmentFile(file, {});
    const first = read();
    rmSync(file);
    completeEnvironmentFile(file, {});
    for (const [name, value] of Object.entries(read())) assert.notEqual(value, first[name]);
  });

  it('changes nothing when it runs again', () => {
    completeEnvironmentFile(file, {});
    const before = readFileSync(file, 'utf8');
    assert.equal(completeEnvironmentFile(file, {}), false);
    assert.equal(readFileSync(file, 'utf8'), before);
  });

  it('adds what is missing below what an operator wrote', () => {
    writeFileSync(file, '# ours\nPOSTERN_SERVICE_TOKEN=chosen by hand, and long enough', { mode: 0o600 });
    completeEnvironmentFile(file, {});
    assert.ok(readFileSync(file, 'utf8').startsWith('# ours\nPOSTERN_SERVICE_TOKEN=chosen by hand'));
    assert.equal(read().POSTERN_SERVICE_TOKEN, 'chosen by hand, and long enough');
    assert.ok(read().POSTERN_SECRET_KEY);
  });

  it('makes no secret that the environment has, and does not write that one down', () => {
    completeEnvironmentFile(file, { POSTERN_SECRET_KEY: 'from the environment' });
    assert.equal(read().POSTERN_SECRET_KEY, undefined);
  });

  it('keeps the servers that the environment named, whatever their passwords hold', () => {
    const url = `postgres://app:p#a'ss"@db.test/postern`;
    completeEnvironmentFile(file, { DATABASE_URL: url });
    assert.equal(read().DATABASE_URL, url);
  });

  function read(): NodeJS.Dict<string> {
    return parseEnv(readFileSync(file, 'utf8'));
  }
});
