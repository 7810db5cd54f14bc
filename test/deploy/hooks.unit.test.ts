import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHooks } from '../../deploy/hooks.ts';
import { DeployFailure } from '../../deploy/remote/failure.ts';

describe('deploy/hooks', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'postern-hooks-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const facts = { release: '20260101000000', revision: 'abc', hosts: ['vm1', 'vm2'] };
  const write = (name: string, body: string) =>
    writeFileSync(join(directory, name), `#!/bin/sh\n${body}\n`, { mode: 0o700 });

  it('get the facts, and may say as much as tests do', async () => {
    write(
      'before-build',
      `head -c 3000000 /dev/zero; echo "$POSTERN_HOOK $POSTERN_RELEASE $POSTERN_HOSTS" >${directory}/said`,
    );

    await createHooks(directory, facts)('before-build');

    assert.equal(readFileSync(join(directory, 'said'), 'utf8'), 'before-build 20260101000000 vm1,vm2\n');
  });

  it('fail with what they say, and need not be there', async () => {
    write('after-build', 'echo "the tests are red" >&2; exit 1');
    const hook = createHooks(directory, facts);

    await hook('before-build');
    await assert.rejects(hook('after-build'), new DeployFailure('hook after-build: the tests are red'));
  });
});
