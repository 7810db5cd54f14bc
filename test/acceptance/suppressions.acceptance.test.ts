/** bin/postern suppression against the running stack: the worker reads what the command uploads. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDomain } from '../support/domains.ts';
import { postSend } from '../support/mail.ts';
import { readStack, type Stack } from '../support/stack.ts';

const BLOCKED = { errors: { to: ['contains a blocked address'] } };

describe('bin/postern suppression', () => {
  let stack: Stack;
  let directory: string;
  let sender: { domain: string; token: string };
  before(async () => {
    stack = readStack();
    directory = mkdtempSync(join(tmpdir(), 'postern-csv-'));
    sender = await createDomain(stack, `lists-${Date.now()}.test`);
  });
  after(() => rmSync(directory, { recursive: true }));

  const sendTo = async (to: string) =>
    (await postSend(stack, { from: `s@${sender.domain}`, to, textbody: 'x' }, sender.token)).body;

  function writeList(...lines: string[]): string {
    const file = join(directory, 'list.csv');
    writeFileSync(file, `${lines.join('\n')}\n`);
    return file;
  }

  it('adds, lists and removes an entry', async () => {
    const names = ['--domain', sender.domain];
    await postern('add', 'one@example.test', ...names, '--note', 'by telephone');
    assert.match(
      (await postern('list', ...names)).stdout,
      /block +one@example\.test .* manual .*by telephone/,
    );
    assert.deepEqual(await sendTo('one@example.test'), BLOCKED);
    assert.match((await postern('remove', 'one@example.test', ...names)).stdout, /^1 removed\.$/m);
    assert.match((await postern('list', ...names)).stdout, /No entries/);
    assert.equal((await postern('remove', 'one@example.test', ...names)).code, 1);
  });

  it('imports a list, says which lines it refused, and exports it', async () => {
    const names = ['--domain', sender.domain];
    const file = writeList('address,note', 'two@example.test,=1+1', 'nobody,', 'three@example.test,');
    const first = await postern('import', file, ...names);
    assert.equal(first.code, 1);
    assert.match(first.stdout, /finished: 3 lines read: 2 added, 0 changed, 1 refused\./);
    assert.match(first.stdout, /^3 +address +is invalid$/m);
    assert.deepEqual(await sendTo('three@example.test'), BLOCKED);

    const output = join(directory, 'out.csv');
    assert.equal((await postern('export', ...names, '--output', output)).code, 0);
    const exported = readFileSync(output, 'utf8');
    assert.match(
      exported,
      new RegExp(`^two@example\\.test,block,${sender.domain},all,imported,'=1\\+1,`, 'm'),
    );
    assert.equal(existsSync(`${output}.part`), false);

    const second = await postern('import', output);
    assert.deepEqual([second.code, /0 added, 0 changed, 0 refused/.test(second.stdout)], [0, true]);
    assert.equal((await postern('export', ...names)).stdout, exported);
  });

  it('says what is wrong with a file that it cannot read', async () => {
    const { code, stderr } = await postern('import', join(directory, 'none.csv'));
    assert.equal(code, 1);
    assert.match(stderr, /none\.csv cannot be read: ENOENT/);
  });
});

async function postern(...parameters: string[]) {
  const run = promisify(execFile)('bin/postern', ['suppression', ...parameters]);
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code: Number(code), stdout: String(stdout), stderr: String(stderr) }),
  );
}
