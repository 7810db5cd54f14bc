import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '../../../api/jobs/run-program.ts';
import { completeEnvironmentFile } from '../../../deploy/local/environment-file.ts';
import { createTestSettings } from '../../support/settings.ts';

describe('api/jobs/run-program', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-job-'));
    completeEnvironmentFile(join(directory, 'postern.env'), {});
  });
  after(() => rmSync(directory, { recursive: true }));

  const context = (signal = new AbortController().signal) => ({
    settings: createTestSettings({ directory }),
    signal,
  });

  it('fails with what the program says', async () => {
    await assert.rejects(
      runProgram(['deploy/certificates/run.ts'], context()),
      /^Error: certificates\.names is empty/,
    );
    await assert.rejects(runProgram(['deploy/backup/run.ts', 'lose'], context()), /say create or verify/);
  });

  it('ends the program when the time of its job is over', async () => {
    await assert.rejects(runProgram(['deploy/certificates/run.ts'], context(AbortSignal.abort())), /abort/i);
  });
});
