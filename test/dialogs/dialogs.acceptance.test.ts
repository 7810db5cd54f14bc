import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { locateInstallation } from '../../deploy/local/installation.ts';
import { installationDirectory } from '../support/processes.ts';
import { readStack } from '../support/stack.ts';
import { describeDialogs, secretsOf } from './runner.ts';

describe('dialogs with the running gateway', () => {
  describeDialogs(readStack);

  it('AU-7: left no secret in any log', () => {
    const { logDirectory } = locateInstallation(installationDirectory());
    const files = readdirSync(logDirectory);
    assert.ok(files.includes('gateway.log'));
    for (const file of files) {
      const log = readFileSync(join(logDirectory, file), 'utf8');
      for (const secret of secretsOf(readStack())) assert.ok(!log.includes(secret), `${file} has ${secret}`);
    }
  });
});
